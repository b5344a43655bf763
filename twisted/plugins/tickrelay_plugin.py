"""What twistd finds: the relay and the simulated broker. Imports nothing of either, so that twistd stays quick."""

from twisted.application.service import ServiceMaker

tickrelay = ServiceMaker(
    "tickrelay",
    "tickrelay.tap",
    "Relay cTrader ticks to WebSocket clients.",
    "tickrelay",
)

ctrader_simulator = ServiceMaker(
    "ctrader simulator",
    "tickrelay.simulator_tap",
    "A simulated cTrader Open API server.",
    "ctrader-simulator",
)
