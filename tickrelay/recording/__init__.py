"""Recording what comes from cTrader, and playing it.

``recorder`` is told of each frame and must not delay it; ``segments`` writes the files, in a thread; ``tape`` reads
them again, for the simulator to play as a server. The format is `tickrelay.recording`'s.
"""
