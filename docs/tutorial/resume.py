"""Lose the connection on purpose, come back, and account for every tick."""

import json
import os
import time

from websockets.sync.client import connect

URL = os.environ.get("TICKRELAY_URL", "ws://localhost:8080/")
SYMBOL = "EURUSD"


def read(position, seconds):
    """Follow the symbol from *position* on for some seconds; returns the position of the newest tick."""
    with connect(URL, subprotocols=["tickrelay.v1.json"]) as socket:
        socket.send(json.dumps({"type": "connect", "features": ["gap"]}))
        ends = time.monotonic() + seconds
        for text in socket:
            message = json.loads(text)
            if message["type"] == "status" and message["status"] == "connected":
                resume = {SYMBOL: position} if position else {}
                socket.send(json.dumps({"type": "subscribe", "symbols": [SYMBOL], "snapshot": True, "resume": resume}))
            elif message["type"] == "subscribeResponse":
                (result,) = message["results"]
                print("subscribed:", {key: result.get(key) for key in ("status", "recovered", "replayed")})
                if not result.get("recovered"):
                    position = None  # counting begins anew, with the next tick
            elif message["type"] == "gap":
                print("missed upstream:", message["cause"])
            elif message["type"] == "tick":
                if position and not message.get("snapshot"):
                    expected = position["seq"] + 1 + message.get("conflated", 0)
                    assert message["seq"] == expected, f"lost: {message['seq'] - expected}"
                position = {"epoch": message["epoch"], "seq": message["seq"]}
            if time.monotonic() > ends:
                return position


if __name__ == "__main__":
    position = read(None, seconds=3)
    print("gone at tick", position["seq"])
    time.sleep(3)
    position = read(position, seconds=3)
    print("now at tick", position["seq"], "and none was lost")
