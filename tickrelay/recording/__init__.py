"""Records what comes from cTrader, and plays it again.

::

    recorder    takes each frame from the upstream connection, buffers it, writes in a thread
    segments    the files: appending, closing, compressing, removing the oldest
    player      reads a recording as the market of the simulator
    format      the lines of a file: header, records, gaps; which frames are kept
"""
