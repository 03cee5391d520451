"""What a request is answered with when it is not done."""


class Refusal(Exception):
    """A request that is refused: one clear line and a status.

    Args:
        status: of HTTP, 400 or above.
        reason: what the client is told.
        headers: to send along.
    """

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}
