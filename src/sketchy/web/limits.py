"""Limits on the cost of a request."""

from dataclasses import dataclass

MAX_K = 100
"""Largest number of photos in a response."""
MAX_CATEGORIES = 50
"""Largest number of categories in a query."""


@dataclass(frozen=True)
class Limits:
    """Limits on what clients send.

    Attributes:
        body: Largest body of a request, in bytes.
        pixels: Largest number of pixels of an image; it takes about 0.25 s to decode.
        upload: Longest time from the head of a request to the end of its body, in seconds.
        waiting: Largest number of waiting queries, of all clients together.
        zip: Largest size of the photos in a zip, in bytes.
    """

    body: int = 16_000_000
    pixels: int = 24_000_000
    upload: float = 20.0
    waiting: int = 64
    zip: int = 4_000_000_000
