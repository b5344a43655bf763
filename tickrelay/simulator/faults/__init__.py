"""Faults on demand: their names, the script that orders them, and the control endpoint."""
