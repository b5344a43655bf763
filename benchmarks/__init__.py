"""The comparison behind ``make bench``: tickrelay and its alternatives, side by side in one run.

``run.py`` orchestrates: it starts one contender at a time on a core of its own (``catalogue.py`` knows how), a feed
(``feed.py``, or ``upstream.py`` for tickrelay itself) and a load generator (``load.py``) on another, applies the
workloads (``workloads.py``) and prints one table (``report.py``). ``stuck.py`` asks what stuck clients do to the
others, ``parts.py`` what the pieces of tickrelay cost. Nothing of this is imported by the package, nothing here
leaves 127.0.0.0/8 except the one-time installation of the contenders into ``benchmarks/.cache``.
"""
