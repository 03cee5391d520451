"""How much one request may cost."""

from dataclasses import dataclass

MAX_K = 100
"""Photos an answer."""
MAX_CATEGORIES = 50
"""Categories a query may name."""


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients send.

    Attributes:
        body: bytes of a request.
        pixels: of an image; one of this size takes about a quarter of a second to decode.
        upload: seconds from the head of a request to the end of its body.
        waiting: queries that wait for the network, of all clients.
    """

    body: int = 16_000_000
    pixels: int = 24_000_000
    upload: float = 20.0
    waiting: int = 64
