"""Answers and ticks that a confused broker sends at the wrong time, or for somebody else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.rig import Rig
from tickrelay.config.schema import Secret
from tickrelay.openapi.messages_pb2 import ProtoOARefreshTokenRes, ProtoOASpotEvent, ProtoOASymbolsListRes


def test_spots_before_the_symbol_list_are_not_delivered(rig: Rig) -> None:
    """The relay has the ids of the connection before: the broker may have given them to other names since."""
    rig.go_live("EURUSD")
    early = ProtoOASpotEvent(ctidTraderAccountId=1001, symbolId=rig.symbol_id("EURUSD"), bid=77, ask=78)
    rig.hang("ProtoOASymbolsListReq")
    rig.connection.reset()
    rig.until(lambda: rig.state == "symbols")
    rig.inject(early)
    rig.run(0.1)
    assert not [spot for spot in rig.listener.spots if spot[1] == 77]
    rig.hang("ProtoOASymbolsListReq", False)
    rig.until(lambda: rig.state == "live")
    rig.inject(early)
    assert [spot[1] for spot in rig.listener.spots].count(77) == 1


def test_an_answer_for_another_account_is_not_used(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its symbols have other names and digits; the session goes on as after a refusal."""
    rig.go_live()
    link = rig.service.session._link
    rig.hang("ProtoOASymbolsListReq")
    rig.service.session.symbols_outdated([987_654])
    rig.run(1)
    asked = next(id for id, pending in link._requests._pending.items() if "SymbolsList" in pending.row.name)
    before = list(rig.listener.symbols)
    answer = ProtoOASymbolsListRes(ctidTraderAccountId=77)
    answer.symbol.add(symbolId=1, symbolName="FOREIGN", enabled=True)
    rig.inject(answer, asked)
    rig.run(1)
    assert list(rig.listener.symbols) == before and rig.counters.request_errors == 1


@pytest.mark.parametrize(("access", "refresh"), [("", ""), ("", "new-refresh"), ("new-access", "")])
def test_a_renewal_without_a_token_does_not_cost_the_old_ones(
    make_rig: Callable[..., Rig], tmp_path: Path, access: str, refresh: str
) -> None:
    """An empty token is never stored in the place of one that may hold."""
    rig = make_rig(refresh_token=Secret("sim-refresh"), token_file=str(tmp_path / "tokens.json"))
    rig.dependencies.accounts.expire()
    rig.hang("ProtoOARefreshTokenReq")
    rig.service.startService()
    rig.until(lambda: rig.sent("ProtoOARefreshTokenReq"))
    link = rig.service.session._link
    (asked,) = link._requests._pending
    rig.inject(ProtoOARefreshTokenRes(accessToken=access, tokenType="", expiresIn=1, refreshToken=refresh), asked)
    rig.run(0.1)
    path = tmp_path / "tokens.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    assert "" not in (kept.get("accessToken"), kept.get("refreshToken"))
    assert kept.get("refreshToken", "sim-refresh") == "sim-refresh"
