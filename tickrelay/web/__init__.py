"""The HTTP side, for operators: alive, ready, and the figures. On a port of its own; off by default."""
