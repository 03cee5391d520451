"""The categories that zero-shot protocols leave out of training."""

import numpy as np

from sketchy.config import ZeroShot
from sketchy.dataset.pack import Pack, Subset
from sketchy.dataset.split import Part
from sketchy.errors import DataError

_NAMES: dict[ZeroShot, str] = {
    "zero-shot-25": "airplane bell butterfly camel chicken cup deer harp horse parrot pineapple ray rifle scissors "
    "snail squirrel swan tank teddy_bear tree umbrella volcano wheelchair windmill wine_bottle",
    "zero-shot-21": "bat cabin cow dolphin door giraffe helicopter mouse pear raccoon rhinoceros saw scissors seagull "
    "skyscraper songbird sword tree wheelchair windmill window",
}
ZERO_SHOT_CATEGORIES = {protocol: frozenset(names.split()) for protocol, names in _NAMES.items()}
"""Protocol to its categories, as the Sketchy Database spells them.

zero-shot-25: Shen et al., "Zero-Shot Sketch-Image Hashing", CVPR 2018, draw 25 at random; these are the ones that later
work uses (split `zeroshot1` of Liu et al., SAKE, ICCV 2019, and of Lin et al., ZSE-SBIR, CVPR 2023).
zero-shot-21: Yelamarthi et al., "A Zero-Shot Framework for Sketch Based Image Retrieval", ECCV 2018; according to
them none of the 21 is a class of ImageNet-1k.
"""


def hold_out(pack: Pack, parts: dict[Part, Subset], protocol: ZeroShot) -> dict[Part, Subset]:
    """Move all photos and sketches of a protocol's categories, whatever their part, into a part `zero_shot`.

    Args:
        pack: Packed images, of all or some of the categories.
        parts: Result of `split_pack`.
        protocol: Zero-shot protocol.

    Raises:
        DataError: The pack has none of the categories.
    """
    categories = ZERO_SHOT_CATEGORIES[protocol]
    chosen = np.array([name in categories for name in pack.categories], np.bool_)
    if not chosen.any():
        raise DataError(
            f"the dataset has none of the {len(categories)} categories of {protocol}; set data.root to one that has "
            "them, or data.zero_shot to null"
        )
    photos, sketches = chosen[pack.photo_category], chosen[pack.sketch_category]
    left: dict[Part, Subset] = {
        part: Subset(subset.photos[~photos[subset.photos]], subset.sketches[~sketches[subset.sketches]])
        for part, subset in parts.items()
    }
    return left | {"zero_shot": Subset(np.flatnonzero(photos), np.flatnonzero(sketches))}
