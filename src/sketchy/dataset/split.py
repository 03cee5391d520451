"""Which photos, with all sketches of them, are for training, for validation and for testing."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from sketchy.dataset.records import Record

Part = Literal["train", "val", "test", "zero_shot"]
"""`zero_shot`: the categories that a zero-shot protocol leaves out of the other parts; made by `hold_out`."""
PhotoKey = tuple[str, str]
"""(category, photo id)."""


def split_photos(
    records: Iterable[Record], test_fraction: float, val_fraction: float, seed: int
) -> dict[PhotoKey, Part]:
    """Assign every photo id to a part; the sketches of a photo are in the same part, so that none of them leaks.

    Each category is split on its own, and in it the ids with sketches apart from those without: the same fraction of
    both is held out. Hashes of the names decide: the split is the same on every machine, whatever the order of
    `records` and whatever other categories there are. An id whose photo is missing is split like the others.

    Args:
        records: Photos and sketches, in any order.
        test_fraction: Fraction of the ids for testing, in [0, 1), rounded to the nearest number in each group.
        val_fraction: Fraction of the rest for validation, in [0, 1). It is rounded up or down at random in each group,
            so that groups too small for one of their own still give this fraction together.
        seed: Seed of the split.

    Returns:
        (category, photo id) to part. Every category keeps a photo in train.
    """
    sketched: defaultdict[str, set[str]] = defaultdict(set)
    photographed: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        side = photographed if record.kind == "photo" else sketched
        side[record.category].add(record.photo_id)
    parts: dict[PhotoKey, Part] = {}
    for category in sorted(sketched.keys() | photographed.keys()):
        traced, photos = sketched[category], photographed[category]
        chosen: dict[str, Part] = {}
        for group, ids in (("sketched", traced), ("unsketched", photos - traced)):
            chosen |= _split_group(ids, test_fraction, val_fraction, f"{seed}/{category}", group)
        _keep_one(chosen, [traced & photos, photos, traced], f"{seed}/{category}")
        parts |= {(category, photo_id): part for photo_id, part in chosen.items()}
    return parts


def _split_group(ids: set[str], test_fraction: float, val_fraction: float, salt: str, group: str) -> dict[str, Part]:
    order = sorted(ids, key=lambda photo_id: _digest(f"{salt}/{photo_id}"))
    test = math.floor(test_fraction * len(order) + 0.5)
    draw = int.from_bytes(_digest(f"{salt}/{group}/val")[:6]) / 2**48
    val = math.floor(val_fraction * (len(order) - test) + draw)
    return {
        photo_id: "test" if index < test else "val" if index < test + val else "train"
        for index, photo_id in enumerate(order)
    }


def _keep_one(chosen: dict[str, Part], preferred: list[set[str]], salt: str) -> None:
    """If no photo is left to train on, take one back: the last in order of the first set that is not empty."""
    photos = preferred[1] or preferred[2]
    if any(chosen[photo_id] == "train" for photo_id in photos):
        return
    candidates = next(ids for ids in preferred if ids)
    chosen[max(candidates, key=lambda photo_id: _digest(f"{salt}/{photo_id}"))] = "train"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()
