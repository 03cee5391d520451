"""Requests that are refused."""


class Refusal(Exception):
    """A request that is refused: one clear line and a status.

    Args:
        status: HTTP status, 400 or above.
        reason: Text for the client, one line.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}
