"""The JSON responses of the API; the OpenAPI description is generated from them."""

from enum import IntEnum
from typing import Literal

from pydantic import BaseModel

from sketchy.results import Advice


class Size(IntEnum):
    """Side in pixels of the square that a photo is shrunk to fit; few sizes, so that they can be cached."""

    SMALL = 160
    MEDIUM = 320
    LARGE = 640
    SCREEN = 1280
    FULL = 2560


class Problem(BaseModel):
    """An error, described in one line."""

    error: str


class Result(BaseModel):
    """A hit: its rank from 1, its distance (lower is closer), and its category, date and score, null if unknown."""

    rank: int
    id: str
    name: str
    distance: float
    category: str | None
    folder: str
    taken: str | None
    score: float | None


class Results(BaseModel):
    """The nearest photos, nearest first.

    `advice` is what to say about them: that nothing fits well, or to keep drawing. `kind` is what the image of the
    query was taken for, null without one.
    """

    results: list[Result]
    advice: Advice | None
    kind: Literal["photo", "sketch"] | None


class About(BaseModel):
    """A photo: its path, its file, the paths of its copies, and whether the server can open it for this client.

    The size of the file and of the picture, before any rotation, are null if the file cannot be read.
    """

    id: str
    name: str
    path: str
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    copies: list[str] = []
    can_open: bool = False


class Category(BaseModel):
    """A category and its number of photos."""

    name: str
    photos: int


class Folder(BaseModel):
    """A folder, its path below the one that contains all photos, and the number of photos at any depth in it."""

    name: str
    photos: int


class Bounds(BaseModel):
    """The limits of a request: bytes of the body, pixels of the image, and number of hits."""

    body: int
    pixels: int
    k: int


class Info(BaseModel):
    """The gallery, the model and the limits.

    A score is the probability that a photo shows what was drawn. `words` are the things that can be searched by name;
    `spatial_share` is the model's own, null if it has none.
    """

    version: str
    gallery: str
    photos: int
    categories: list[Category]
    folders: list[Folder]
    model: dict[str, str | int]
    has_scores: bool
    words: list[str]
    spatial_share: float | None
    limits: Bounds


class Indexing(BaseModel):
    """The update of the index that is under way or was the last one; seconds_left and error are null if unknown.

    `unreadable` is the number of files that the last one could not read.
    """

    running: bool
    done: int
    total: int
    seconds_left: float | None
    error: str | None
    unreadable: int


class Status(BaseModel):
    """What may change while the server runs; indexing is null if the server does not update the index.

    A search may find other photos when `photos` or `updates` has changed.
    """

    photos: int
    updates: int
    indexing: Indexing | None


class Health(BaseModel):
    """The state of the server."""

    status: Literal["ok"]
