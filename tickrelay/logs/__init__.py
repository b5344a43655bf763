"""The log of the service: which lines are logged, how many, and how they are written without anybody waiting for it.

::

    service_log  what twistd is given as the log observer, made of the others
      filters    levels by namespace; limits of lines that strangers can cause
      writer     the bounded queue, and the thread that writes
      targets    standard output, a rotating file, syslog

An event passes the levels, then the limits, is formatted where it was logged, and waits in the queue for the thread.
"""
