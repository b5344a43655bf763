"""Faults on demand.

::

    control      the HTTP endpoint on the loopback interface
    faults       the list of faults, and what runs and ends them
    one_shot     faults that are over at once: closes, garbage, events that end a session
    sustained    faults that last: silence, delays, refusals, closed markets
    script       the language that orders faults, with times and durations
"""
