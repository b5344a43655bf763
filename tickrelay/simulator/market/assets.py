"""How assets walk: log-normal steps with volatility that clusters, and a part of them common to their kind."""

import math
import random

from tickrelay.simulator.market.instruments import Asset

YEAR_S = 365.25 * 86_400

_CLUSTER_S = 900.0
"""Agitation dies down over about this time."""
_CLUSTER_SIZE = 0.45
"""Standard deviation of the logarithm of agitation."""


class CommonMove:
    """The move that all assets of a kind share: a standard Wiener process, read at rising moments."""

    __slots__ = ("_last_s", "_rng", "value")

    def __init__(self, rng: random.Random, now_s: float) -> None:
        self._rng = rng
        self._last_s = now_s
        self.value = 0.0

    def at(self, now_s: float) -> float:
        """The process at *now_s*; the last value where that lies in the past."""
        step = now_s - self._last_s
        if step > 0:
            self.value += self._rng.gauss(0.0, 1.0) * math.sqrt(step)
            self._last_s = now_s
        return self.value


class CommonMoves:
    """One common move for each kind of asset."""

    def __init__(self, seed: int, now_s: float) -> None:
        self._moves = {
            kind: CommonMove(random.Random(f"{seed}/common/{kind}"), now_s)
            for kind in ("metals", "energies", "crypto", "indices")
        }

    def of(self, asset: Asset) -> CommonMove | None:
        """The move that *asset* takes part in, if any."""
        if not asset.beta:
            return None
        if asset.name.startswith(("XAU", "XAG", "XP")):
            return self._moves["metals"]
        if asset.name in ("XTI", "XBR"):
            return self._moves["energies"]
        if any(c.isdigit() for c in asset.name) or asset.name == "USTEC":
            return self._moves["indices"]
        return self._moves["crypto"]


class AssetWalk:
    """The value of one asset over time. Read at rising moments; a read in the past gives the last value."""

    __slots__ = ("_agitation_log", "_asset", "_common", "_last_common", "_last_s", "_own", "_rng", "_volatility",
                 "agitation", "value")  # fmt: skip

    def __init__(self, asset: Asset, common: CommonMove | None, seed: int, now_s: float) -> None:
        self._asset = asset
        self._rng = random.Random(f"{seed}/asset/{asset.name}")
        self._common = common
        self._last_common = 0.0 if common is None else common.value
        self._own = math.sqrt(1.0 - asset.beta * asset.beta)
        self._volatility = asset.volatility / math.sqrt(YEAR_S)
        self._last_s = now_s
        self._agitation_log = 0.0
        self.agitation = 1.0
        self.value = asset.value

    def at(self, now_s: float) -> float:
        """The value at *now_s*."""
        step = now_s - self._last_s
        if step <= 0 or not self._volatility:
            return self.value
        self._last_s = now_s
        rng = self._rng
        decay = math.exp(-step / _CLUSTER_S)
        self._agitation_log = self._agitation_log * decay + rng.gauss(0.0, _CLUSTER_SIZE) * math.sqrt(
            1.0 - decay * decay
        )
        self.agitation = math.exp(self._agitation_log)
        move = self._own * math.sqrt(step) * rng.gauss(0.0, 1.0)
        if self._common is not None:
            common = self._common.at(now_s)
            move += self._asset.beta * (common - self._last_common)
            self._last_common = common
        self.value *= math.exp(self._volatility * self.agitation * move)
        return self.value
