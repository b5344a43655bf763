"""One small server per alternative, each written as a user of that library would write it.

They speak the basic protocol (``connect``, ``subscribe``, ticks as JSON text) and fetch ticks from the feed over
plain TCP. They run in an environment of their own and import nothing from the package.
"""
