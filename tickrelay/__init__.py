"""tickrelay relays the ticks of one cTrader Open API connection to every WebSocket client that asked for them.

Five floors; a module imports only from floors below its own::

    4  composition   tap  service  starting  figures  simulator_tap  cli/
    3  the ends      upstream/  clients/  web/  simulator/  replay/      (never each other)
    2  logic         relay/
    1  codecs        openapi/  wire/  capture/
    0  values        ticks  schedule  status  errors  interfaces  setting  config  metrics
"""
