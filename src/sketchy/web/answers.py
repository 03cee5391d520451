"""The JSON that the API answers with; OpenAPI is made from it."""

from enum import IntEnum
from typing import Literal

from pydantic import BaseModel


class Size(IntEnum):
    """Side of the square that a photo is shrunk to fit; few, so that they can be kept."""

    SMALL = 160
    MEDIUM = 320
    LARGE = 640
    SCREEN = 1280
    FULL = 2560


class Problem(BaseModel):
    """What went wrong, in one line."""

    error: str


class Result(BaseModel):
    """A photo that was found: rank from 1, a lower distance is closer, category and score null where unknown."""

    rank: int
    id: str
    name: str
    distance: float
    category: str | None
    score: float | None


class Results(BaseModel):
    """The photos nearest to the image, nearest first."""

    results: list[Result]


class About(BaseModel):
    """One photo, and where it lies."""

    id: str
    name: str
    path: str


class Category(BaseModel):
    """A category, and how many photos are of it."""

    name: str
    photos: int


class Bounds(BaseModel):
    """How much one request may hold: bytes, pixels, photos."""

    body: int
    pixels: int
    k: int


class Info(BaseModel):
    """What is served; a score is the probability that a photo is of the sketched category."""

    version: str
    gallery: str
    photos: int
    categories: list[Category]
    model: dict[str, str | int]
    has_scores: bool
    limits: Bounds


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"]
