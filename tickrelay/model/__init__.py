"""The values of the trade, and the interfaces between the ends: no reactor, no clock, no socket."""
