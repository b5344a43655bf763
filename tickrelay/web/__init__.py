"""The HTTP side, for operators: is it alive, is it ready, what are its figures. On a port of its own; off by default.
"""
