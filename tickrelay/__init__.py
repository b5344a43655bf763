"""tickrelay relays the ticks of one cTrader Open API connection to every WebSocket client that asked for them.

Five floors; a module imports only from floors below its own::

    4  composition   tap  simulator_tap  service  startup  twistd_files  endpoints  metrics  cli/
                     signals  reloading  garbage  logs/
    3  the ends      upstream/  downstream/  front/  web/  simulator/  recording/      (never each other)
    2  logic         relay/  admission/
    1  codecs        openapi/  wire/  http_site
    0  values        model/  config/
"""
