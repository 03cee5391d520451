"""Bounds on what one request may cost."""

from dataclasses import dataclass

MAX_K = 100
"""Most photos in an answer."""
MAX_CATEGORIES = 50
"""Most categories that a query may name."""


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients send.

    Attributes:
        body: Most bytes in the body of a request.
        pixels: Most pixels of an image; one of this size takes about a quarter of a second to decode.
        upload: Seconds from the head of a request to the end of its body.
        waiting: Most queries of all clients in the queue.
    """

    body: int = 16_000_000
    pixels: int = 24_000_000
    upload: float = 20.0
    waiting: int = 64
