#!/usr/bin/env python3
"""Measure how often photos are taken for drawings and drawings for photos.

Usage: .venv/bin/python scripts/check_kind.py [--photos DIR]... [--sketches DIR]... [--count N] [--show]
Photos and sketches are image files at any depth of a folder; of each folder, N are taken. The sketches are also tried
in all situations of check_ink.py: scanned, noisy, on patterned paper, with coloured pens, photographed. --show names
those that are taken wrongly.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from check_ink import SITUATIONS, mask_of
from sketchy.image import SUFFIXES, Kind, open_image
from sketchy.photo_or_drawing import SEEN_SIDE, kind_of

SITUATED = 6
"""Sketches of each folder that are drawn in every situation."""


def files(folder: Path, count: int) -> list[Path]:
    """Return images of a folder, the same ones each time."""
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    return random.Random(0).sample(found, min(count, len(found)))


def sketches(folder: Path, count: int) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield row, name and image of sketches as they are, and then in all situations."""
    chosen = files(folder, count)
    for file in chosen:
        yield str(folder), str(file), open_image(file)
    for situation, draw in SITUATIONS.items():
        rng = np.random.default_rng(crc32(situation.encode()))
        for file in chosen[:SITUATED]:
            yield f"as in `check_ink.py`: {situation}", str(file), draw(mask_of(open_image(file)), rng)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--sketches", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--count", type=int, default=1000, help="images of each folder")
    parser.add_argument("--show", action="store_true", help="name those that are taken wrongly")
    given = parser.parse_args()
    rows: dict[tuple[str, Kind], list[bool]] = {}

    def judge(row: str, kind: Kind, name: str, image: Image.Image) -> None:
        right = kind_of(image) == kind
        rows.setdefault((row, kind), []).append(right)
        if given.show and not right:
            print(f"not taken for a {kind}: {name} ({row})")

    for folder in given.photos:
        for file in files(folder, given.count):
            judge(str(folder), "photo", str(file), open_image(file, at_least=SEEN_SIDE))
    for folder in given.sketches:
        for row, name, image in sketches(folder, given.count):
            judge(row, "sketch", name, image)
    print("| images | are | count | taken wrongly |\n| --- | --- | ---: | ---: |")
    for (row, kind), right in rows.items():
        print(f"| {row} | {kind} | {len(right)} | {len(right) - sum(right)} |")


if __name__ == "__main__":
    main()
