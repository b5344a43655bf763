"""HTTP pages.

::

    public  those of the clients' port, where WebSocket is spoken too: for everybody who reaches it
    pages   those of the operators' port, which is off by default: health, readiness, metrics
    page    what both are made of
"""
