"""The exception that refuses a request, and the error message that it becomes."""

from tickrelay.openapi.common_pb2 import ProtoErrorRes
from tickrelay.openapi.messages_pb2 import ProtoOAErrorRes


class RequestRefused(Exception):
    """A request is answered with an error: 2142, for the common codes as well (seen on the live server)."""

    def __init__(
        self,
        code: str,
        description: str = "",
        *,
        account_id: int = 0,
        retry_after_s: int = 0,
        maintenance_end: int = 0,
        close: bool = False,
        common: bool = False,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.account_id = account_id
        self.retry_after_s = retry_after_s
        self.maintenance_end = maintenance_end
        self.close = close
        """The connection ends after the answer."""
        self.common = common
        """Sent as ProtoErrorRes (50), as the documentation has it for some codes."""

    def message(self) -> ProtoOAErrorRes | ProtoErrorRes:
        """The answer; empty fields are left out."""
        if self.common:
            return ProtoErrorRes(
                errorCode=self.code, description=self.description, maintenanceEndTimestamp=self.maintenance_end
            )
        error = ProtoOAErrorRes(errorCode=self.code)
        if self.description:
            error.description = self.description
        if self.account_id:
            error.ctidTraderAccountId = self.account_id
        if self.retry_after_s:
            error.retryAfter = self.retry_after_s
        if self.maintenance_end:
            error.maintenanceEndTimestamp = self.maintenance_end
        return error
