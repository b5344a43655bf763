"""Recordings of what came from cTrader: the format, as bytes and values.

``records`` is the format (docs/capture.rst describes it for people); ``quotes`` is a spot event as a value. Writing
and reading files, and time, are the business of `tickrelay.replay`.
"""
