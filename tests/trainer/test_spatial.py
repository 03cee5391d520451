import copy

import numpy as np
import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.dataset.pack import Pack, Subset
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.anchors import AnchorAttention
from sketchy.model.encoder import Encoder, build_encoder
from sketchy.progress import no_progress
from sketchy.trainer.spatial import fit_spatial

SIDE, CATEGORIES, EACH = 32, 2, 8
EVERYTHING = Subset(np.arange(CATEGORIES * EACH), np.arange(CATEGORIES * EACH))


def made_encoder(gradients: int | None = None) -> Encoder:
    torch.manual_seed(0)
    spatial = {"block": 3, "grid": 4, "size": 16, "gradients": gradients}
    model = {"backbone": "mobilenet_v2", "embedding_size": 32, "normalize": True, "spatial": spatial}
    return build_encoder(parse_config({"image": {"size": SIDE, "color": "rgb"}, "model": model}, "a test")).eval()


def made_pack(*, traced: bool = True, categories: int = CATEGORIES) -> Pack:
    """Photos of a dark square, each of its category at another position, and a sketch of each: the same, smaller."""
    count = CATEGORIES * EACH
    photos = np.full((count, 3, SIDE, SIDE), 230, np.uint8)
    sketches = np.full((count, 1, SIDE, SIDE), 255, np.uint8)
    for row in range(count):
        down, right = divmod(row % EACH, 4)
        photos[row, :, 12 * down + 4 : 12 * down + 14, 8 * right : 8 * right + 8] = 40
        sketches[row, :, 12 * down + 5 : 12 * down + 13, 8 * right + 1 : 8 * right + 7] = 0
    category = np.arange(count) // (count // categories)
    return Pack(
        photos=photos,
        sketches=sketches,
        photo_records=(),
        sketch_records=(),
        categories=tuple("abcdefghijklmnopqrstuvwxyz"[:categories]),
        photo_category=category,
        sketch_category=category,
        sketch_photo=np.arange(count) if traced else np.full(count, -1),
        skipped=(),
    )


def own_photo_nearest(encoder: Encoder, pack: Pack) -> float:
    """Share of the sketches whose nearest photo of their category is the traced one."""
    sketch = embed_pixels(encoder, pack.sketches, "sketch")
    photo = embed_pixels(encoder, pack.photos, "photo")
    category = torch.from_numpy(pack.photo_category)
    closeness = (sketch @ photo.T).masked_fill(category[:, None] != category, -2)
    return float((closeness.argmax(1) == torch.arange(len(sketch))).float().mean())


@pytest.mark.parametrize("gradients", [None, 4])
def test_the_traced_photo_is_found_by_its_arrangement(gradients):
    encoder, pack = made_encoder(gradients), made_pack()
    before = own_photo_nearest(encoder, pack)
    assert fit_spatial(encoder, pack, EVERYTHING, 0.5, 0, no_progress)
    assert before < 0.5
    assert own_photo_nearest(encoder, pack) > 0.8
    assert float(encoder.head.share) == 0.5


def test_nothing_but_the_second_head_changes():
    encoder = made_encoder()
    before = copy.deepcopy(encoder.state_dict())
    fit_spatial(encoder, made_pack(), EVERYTHING, 0.5, 0, no_progress)
    changed = {name for name, tensor in encoder.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.cells.weight", "head.cells.bias", "head.share"}


def test_the_same_seed_gives_the_same_head_also_when_it_is_fitted_again_and_touches_no_other_draw():
    encoder, pack = made_encoder(), made_pack()
    state = torch.get_rng_state()
    fit_spatial(encoder, pack, EVERYTHING, 0.5, 3, no_progress)
    assert torch.equal(torch.get_rng_state(), state)
    first = encoder.head.cells.weight.clone()
    fit_spatial(encoder, pack, EVERYTHING, 0.5, 3, no_progress)
    assert torch.equal(encoder.head.cells.weight, first)
    fit_spatial(encoder, pack, EVERYTHING, 0.5, 4, no_progress)
    assert not torch.equal(encoder.head.cells.weight, first)


def test_with_oriented_gradients_photos_that_no_sketch_traces_are_learnt_from_too():
    pack = made_pack()
    pack.sketch_photo[4:] = -1
    heads = []
    for gradients in (None, 4):
        for level in (230, 90):
            pack.photos[12:, :, 2:12, 2:30] = level
            encoder = made_encoder(gradients)
            fit_spatial(encoder, pack, EVERYTHING, 0.5, 0, no_progress)
            heads.append(encoder.head.cells.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[2], heads[3])


def test_only_sketches_and_photos_of_the_part_are_learnt_from():
    pack = made_pack()
    part = Subset(np.arange(6), np.arange(10))  # the last four trace photos of another part
    one, other = made_encoder(), made_encoder()
    fit_spatial(one, pack, part, 0.5, 0, no_progress)
    pack.sketches[6:] = 0
    pack.photos[6:] = 0
    fit_spatial(other, pack, part, 0.5, 0, no_progress)
    assert torch.equal(one.head.cells.weight, other.head.cells.weight)


@pytest.mark.parametrize(
    ("options", "photos"),
    [({"traced": False}, 16), ({"categories": 16}, 16), ({}, 1)],
    ids=["nothing traced", "one photo a category", "one photo"],
)
def test_where_there_is_nothing_to_learn_nothing_changes(options, photos):
    encoder = made_encoder()
    before = copy.deepcopy(encoder.state_dict())
    assert not fit_spatial(encoder, made_pack(**options), Subset(np.arange(photos), np.arange(16)), 0.5, 0, no_progress)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


def test_attention_to_anchors_changes_nothing_of_what_is_fitted():
    plain, attending = made_encoder(), made_encoder()
    size = attending.head.whole.out_features
    attending.anchors = AnchorAttention(torch.eye(size)[:3], weight=1.0, scale=10.0)
    for encoder in (plain, attending):
        fit_spatial(encoder, made_pack(), EVERYTHING, 0.5, 0, no_progress)
    assert torch.equal(plain.head.cells.weight, attending.head.cells.weight)
    assert attending.anchors is not None
