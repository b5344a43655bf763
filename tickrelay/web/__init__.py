"""HTTP for operators, on a port of its own; off by default.

``pages`` serves ``/healthz`` (the process answers), ``/readyz`` (clients are served) and ``/metrics``.
"""
