"""The messages that the relay may send: those that view. The link refuses every other one."""

from tickrelay.openapi import registry

VIEW_ONLY = frozenset(
    registry.lookup(name).number
    for name in (
        "ProtoHeartbeatEvent",
        "ProtoOAVersionReq",
        "ProtoOAApplicationAuthReq",
        "ProtoOAGetAccountListByAccessTokenReq",
        "ProtoOAAccountAuthReq",
        "ProtoOAAccountLogoutReq",
        "ProtoOARefreshTokenReq",
        "ProtoOAAssetListReq",
        "ProtoOAAssetClassListReq",
        "ProtoOASymbolCategoryListReq",
        "ProtoOASymbolsListReq",
        "ProtoOASymbolByIdReq",
        "ProtoOASubscribeSpotsReq",
        "ProtoOAUnsubscribeSpotsReq",
        "ProtoOAGetTrendbarsReq",
        "ProtoOAGetTickDataReq",
    )
)
"""Payload types of all messages that the relay ever sends. No order is among them: none can leave, whoever asks."""
