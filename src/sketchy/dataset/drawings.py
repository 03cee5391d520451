"""Vector drawings in QuickDraw's `.ndjson` files, packed once and drawn whenever one is used."""

import hashlib
import json
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchy.dataset.cache import make_once
from sketchy.dataset.records import Record
from sketchy.dataset.source import Source
from sketchy.dataset.strokes import NOT_RECOGNIZED, PEN, Drawing, altered, first_part, parse, render
from sketchy.errors import DataError, ImageError
from sketchy.progress import Progress, no_progress
from sketchy.results import Skipped
from sketchy.storage import cache_folder

SUFFIX = ".ndjson"
ARRAYS = ("points", "strokes", "drawings", "words", "ids")
CONTENTS = "drawings.json"

Indices = NDArray[np.int64]
Seed = tuple[int, ...]


@dataclass(frozen=True)
class Drawings:
    """Drawings as strokes; indexed by rows it gives their images, as an array of images does.

    Attributes:
        side: Width and height of the images in pixels.
        points: Points of all strokes, shape (P, 2), int16.
        strokes: Index of the first point of each stroke, and P, shape (S + 1,), int64.
        drawings: Index of the first stroke of each drawing, and S, shape (N + 1,), int64.
        altered: Share of the drawings that `drawn` alters, in [0, 1].
    """

    side: int
    points: NDArray[np.int16]
    strokes: Indices
    drawings: Indices
    altered: float = 0.0

    def __len__(self) -> int:
        """Number of drawings."""
        return len(self.drawings) - 1

    def __getitem__(self, rows: Indices) -> NDArray[np.uint8]:
        """Return the images of (B,) rows as they were drawn, shape (B, 1, side, side)."""
        return self._stack(render(self.drawing(row), self.side) for row in rows)

    def drawing(self, row: int) -> Drawing:
        """Return one drawing."""
        first, last = self.drawings[row : row + 2]
        starts = self.strokes[first : last + 1]
        return Drawing(self.points[starts[0] : starts[-1]], starts[:-1] - starts[0])

    def first_part(self, rows: Indices, share: float) -> NDArray[np.uint8]:
        """Return the images of (B,) rows when this share of their strokes was drawn, in (0, 1]."""
        return self._stack(render(first_part(self.drawing(row), share), self.side) for row in rows)

    def drawn(self, rows: Sequence[int], seeds: Sequence[Seed]) -> NDArray[np.uint8]:
        """Return the images of (B,) rows, some of which are altered; the seed of each decides how."""
        return self._stack(self._drawn(row, seed) for row, seed in zip(rows, seeds, strict=True))

    def _drawn(self, row: int, seed: Seed) -> NDArray[np.uint8]:
        drawing, pen = self.drawing(row), PEN
        if self.altered and (draw := np.random.default_rng(seed)).random() < self.altered:
            drawing, pen = altered(drawing, draw)
        return render(drawing, self.side, pen)

    def _stack(self, images: Iterator[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        found = list(images)
        return np.stack(found)[:, None] if found else np.empty((0, 1, self.side, self.side), np.uint8)


def joined(parts: list[Drawings], altered: float) -> Drawings:
    """Return all drawings as one, those of each part after those before; all have one size."""
    points = np.cumsum([0, *(len(part.points) for part in parts)])
    strokes = np.cumsum([0, *(len(part.strokes) - 1 for part in parts)])
    return Drawings(
        side=parts[0].side,
        points=np.concatenate([part.points for part in parts]),
        strokes=np.concatenate([*(p.strokes[:-1] + n for p, n in zip(parts, points[:-1], strict=True)), points[-1:]]),
        drawings=np.concatenate(
            [*(p.drawings[:-1] + n for p, n in zip(parts, strokes[:-1], strict=True)), strokes[-1:]]
        ),
        altered=altered,
    )


def open_drawings(
    source: Source, side: int, cache: Path | None, progress: Progress = no_progress
) -> tuple[Drawings, list[Record], list[Skipped]]:
    """Open the packed drawings of a source, after reading all its `.ndjson` files if that was not done yet.

    A drawing's category is its word, and its id depends on nothing but its strokes, so that equal ones stay together in
    a split. Drawings that QuickDraw did not recognize are left out.

    Args:
        source: Where the files are.
        side: Width and height of the images in pixels.
        cache: Folder for packs, as for `open_pack`.
        progress: Shows the progress.

    Returns:
        The drawings, a record of each, and the lines that cannot be read.

    Raises:
        DataError: There is no drawing in them.
        StorageError: The cache cannot be written.
    """
    entries = sorted((entry.name, entry.size, entry.stamp) for entry in source.entries() if is_drawing_file(entry.name))
    code = pkgutil.get_data("sketchy", "dataset/strokes.py") or b""
    key = hashlib.sha256(json.dumps(entries).encode() + code).hexdigest()[:32]

    def build(folder: Path) -> None:
        _build(folder, source, [name for name, _, _ in entries], progress)

    arrays, names, skipped = make_once(cache_folder(cache) / key, _load, build)
    records = [
        Record("sketch", names[word], f"{digest:016x}", f"{names[word]}/{digest:016x}")
        for word, digest in zip(arrays["words"].tolist(), arrays["ids"].tolist(), strict=True)
    ]
    drawings = Drawings(side, arrays["points"], arrays["strokes"], arrays["drawings"])
    return drawings, records, [replace(one, path=source.locate(one.path)) for one in skipped]


def is_drawing_file(name: str) -> bool:
    """Say whether a file of this name holds vector drawings."""
    return name.lower().endswith(SUFFIX)


def _build(folder: Path, source: Source, names: list[str], progress: Progress) -> None:
    """Read all files into an empty folder."""
    read: list[tuple[str, Drawing]] = []
    skipped: list[tuple[str, str]] = []
    with progress("reading drawings", len(names), "files") as bar:
        for name in names:
            try:
                _read_lines(name, source.read(name).splitlines(), read, skipped)
            except ImageError as error:
                skipped.append((name, str(error)))
            bar(1)
    if not read:
        first = f", such as {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise DataError(f"no drawings in the {SUFFIX} files of {source.path}{first}; get them again")
    words = sorted({word for word, _ in read})
    label = {word: index for index, word in enumerate(words)}
    drawings = [drawing for _, drawing in read]
    strokes = np.cumsum([0, *(len(drawing.starts) for drawing in drawings)])
    points = np.cumsum([0, *(len(drawing.points) for drawing in drawings)])
    starts = [drawing.starts + start for drawing, start in zip(drawings, points[:-1], strict=True)]
    arrays = {
        "points": np.concatenate([drawing.points for drawing in drawings]),
        "strokes": np.concatenate([*starts, points[-1:]]),
        "drawings": strokes,
        "words": np.array([label[word] for word, _ in read]),
        "ids": np.array([_digest(drawing) for drawing in drawings], np.uint64),
    }
    for name, array in arrays.items():
        np.save(folder / name, array)
    (folder / CONTENTS).write_text(json.dumps({"words": words, "skipped": skipped}), encoding="utf-8")


def _read_lines(name: str, lines: list[bytes], read: list[tuple[str, Drawing]], skipped: list[tuple[str, str]]) -> None:
    for number, line in enumerate(lines, 1):
        try:
            read.append(parse(line))
        except ValueError as error:
            if line.strip() and str(error) != NOT_RECOGNIZED:
                skipped.append((f"{name}, line {number}", str(error)))


def _digest(drawing: Drawing) -> int:
    content = drawing.points.tobytes() + drawing.starts.astype(np.int64).tobytes()
    return int.from_bytes(hashlib.sha256(content).digest()[:8])


def _load(folder: Path) -> tuple[dict[str, NDArray[Any]], list[str], list[Skipped]] | None:
    """Map the files of a pack; None if they are missing or incomplete."""
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray) for name in ARRAYS}
        return arrays, contents["words"], [Skipped(*one) for one in contents["skipped"]]
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
