"""What strangers may take of the relay: connections, and the time of its reactor. No socket: whoever has one asks here.

::

    places    counts of connections, and their limits
    ledger    the reactor time that clients cause, who pays for it, and who waits
    guesses   wrong tokens by address, and by how long to delay their refusals
    refusals  close code, log line and counter of each reason
"""
