import pytest
import torch
import torch.nn.functional as F

from sketchy.config import AugmentConfig
from sketchy.dataset.augment import Augmenter, Changes, build_augmenter, change_photos, change_sketches, compress_photos

SIDE = 16
OFF = {
    "flip": 0.0,
    "rotate": 0.0,
    "scale": 0.0,
    "shift": 0.0,
    "crop": 0.0,
    "stroke": 0.0,
    "color": 0.0,
    "jpeg": 0.0,
    "photo_size": None,
}


def drawn(pairs: int, seed: int = 0, **settings: float | None) -> Changes:
    return Augmenter(**{**OFF, **settings}).draw(pairs, torch.Generator().manual_seed(seed))


def sketches(count: int = 4) -> torch.Tensor:
    """White paper with a dot of ink in the upper left quarter."""
    images = torch.full((count, 1, SIDE, SIDE), 255, dtype=torch.uint8)
    images[:, :, 4, 3] = 0
    return images


def photos(count: int = 4, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def test_with_everything_off_images_stay_as_they_are():
    changes = drawn(4)
    assert torch.equal(change_sketches(sketches(), changes), sketches())
    assert torch.equal(change_photos(photos(), changes), photos())


def test_nothing_is_built_for_a_config_that_changes_nothing():
    assert build_augmenter(AugmentConfig()) is None
    assert build_augmenter(AugmentConfig(flip=0.1)) is not None


def test_sketch_and_photo_of_a_pair_are_mirrored_together():
    changes = drawn(64, flip=0.5)
    sketched, seen = change_sketches(sketches(64), changes), change_photos(photos(64), changes)
    flipped = (sketched == sketches(64).flip(3)).flatten(1).all(1)
    assert torch.equal(flipped, (seen == photos(64).flip(3)).flatten(1).all(1))
    assert torch.equal(~flipped, (sketched == sketches(64)).flatten(1).all(1))
    assert 16 < flipped.sum() < 48


def test_a_quarter_turn_moves_the_dot_round():
    turn = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    still = torch.eye(2, 3)[None]
    changes = Changes(turn, still, torch.tensor([False]), torch.ones(1, 3))
    assert torch.equal(change_sketches(sketches(1), changes), sketches(1).rot90(1, (2, 3)))


def test_what_moves_in_is_paper_on_sketches_and_the_mirrored_edge_on_photos():
    away = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])  # half a side to the left
    changes = Changes(away, away, torch.tensor([False]), torch.ones(1, 3))
    assert (change_sketches(sketches(1), changes) == 255).all()
    moved = change_photos(photos(1), changes)
    half = SIDE // 2
    assert torch.equal(moved[..., :half], photos(1)[..., half:])
    assert torch.equal(moved[..., half:], photos(1)[..., half:].flip(3))


def test_zoom_and_shift_stay_within_their_bounds():
    frames = drawn(500, scale=0.25, shift=0.1).sketch_frame
    zoom = frames[:, 0, 0]
    assert 1 / 1.25 <= zoom.min() < 0.85
    assert 1.15 < zoom.max() <= 1.25
    assert 0.18 < frames[:, :, 2].abs().max() <= 0.2  # a side is 2 long


def test_a_rotation_keeps_lengths_and_its_bound():
    frames = drawn(500, rotate=30).photo_frame[:, :, :2]
    torch.testing.assert_close(frames @ frames.mT, torch.eye(2).expand(500, 2, 2))
    degrees = torch.atan2(frames[:, 1, 0], frames[:, 0, 0]).rad2deg().abs()
    assert 25 < degrees.max() <= 30


def test_a_thick_stroke_covers_its_neighbours_and_no_more():
    thick = change_sketches(sketches(1), drawn(1, stroke=1.0))
    assert (thick == 0).sum() == 9
    assert (thick[0, 0, 3:6, 2:5] == 0).all()


def test_brightness_contrast_and_saturation_do_what_they_say():
    still = torch.eye(2, 3)[None]

    def changed(*color: float) -> torch.Tensor:
        return change_photos(photos(1), Changes(still, still, torch.tensor([False]), torch.tensor([color]))).float()

    before = photos(1).float()
    torch.testing.assert_close(changed(0.5, 1, 1), before / 2, atol=0.51, rtol=0)
    flat = changed(1, 0, 1)
    assert flat.unique().numel() == 1
    assert flat.mean() == pytest.approx(before.mean().item(), abs=0.51)
    grey = changed(1, 1, 0)
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert changed(2, 1, 1).max() == 255


def test_the_fraction_of_photos_that_are_compressed_lose_detail_and_keep_their_content():
    smooth = F.interpolate(photos(64, channels=3).float()[..., :4, :4], size=SIDE, mode="bilinear").byte()
    changes = drawn(64, jpeg=0.5)
    chosen = changes.quality > 0
    assert 16 < chosen.sum() < 48
    assert 10 <= changes.quality[chosen].min() < 20
    assert 40 < changes.quality.max() <= 50
    assert (changes.kept() == ~chosen.numpy()).all()
    assert torch.equal(change_photos(smooth, changes), smooth)  # compressed elsewhere, ahead of the step
    own = changes.share(~changes.kept())
    seen = compress_photos(change_photos(smooth[chosen], own), own.quality)
    error = (seen.float() - smooth[chosen].float()).abs().mean((1, 2, 3))
    assert (error > 0).all()
    assert error.max() < 60
    assert compress_photos(photos(2, channels=1), torch.tensor([10, 50])).shape == (2, 1, SIDE, SIDE)


def test_a_batch_of_no_photos_stays_one():
    changes = drawn(4, jpeg=1.0, photo_size=12)
    assert change_photos(photos()[:0], changes.share(changes.kept())).shape == (0, 3, 12, 12)


def test_grey_photos_are_augmented_too():
    seen = change_photos(photos(channels=1), drawn(4, rotate=20, color=0.5))
    assert seen.shape == (4, 1, SIDE, SIDE)
    assert not torch.equal(seen, photos(channels=1))


def test_the_same_seed_draws_the_same_changes_and_shares_are_parts_of_them():
    settings = {"flip": 0.5, "rotate": 10, "scale": 0.2, "shift": 0.1, "stroke": 0.3, "color": 0.3}
    first, second, other = (drawn(6, seed, **settings) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first[:4], second[:4], strict=True))
    assert not torch.equal(first.color, other.color)
    whole = change_photos(photos(6), first)
    parts = [change_photos(photos(6)[rows], first.share(rows)) for rows in (slice(0, 3), slice(3, 6))]
    assert torch.equal(torch.cat(parts), whole)


def test_a_crop_keeps_a_part_of_the_photo_and_all_of_the_sketch():
    changes = drawn(500, crop=0.4)
    assert torch.equal(changes.sketch_frame, torch.eye(2, 3).expand(500, 2, 3))
    kept, centre = changes.photo_frame[:, 0, 0], changes.photo_frame[:, :, 2]
    assert 0.6 <= kept.min() < 0.62
    assert 0.98 < kept.max() <= 1
    assert (kept[:, None] + centre.abs()).max() <= 1 + 1e-6  # it ends at the edges
    assert centre.abs().max() > 0.3


def test_training_sees_photos_of_the_size_that_is_asked_for():
    changes = drawn(4, photo_size=12)
    assert change_sketches(sketches(), changes).shape == (4, 1, SIDE, SIDE)
    assert change_photos(photos(), changes).shape == (4, 3, 12, 12)
    assert changes.share(slice(2)).photo_size == 12


def test_with_a_crop_things_look_as_large_in_the_smaller_image():
    """A crop of 3/4 of a side of 16, shown on 12 pixels: each pixel is one of the photo's."""
    frame = torch.tensor([[[0.75, 0.0, 0.25], [0.0, 0.75, -0.25]]])  # the upper right corner
    changes = Changes(frame, frame, torch.tensor([False]), torch.ones(1, 3), photo_size=12)
    assert torch.equal(change_photos(photos(1), changes), photos(1)[..., :12, 4:])


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_waits_for_the_values_of_a_batch(channels):
    """What depends on values, which a GPU would have to be asked for, cannot be traced as one graph."""
    settings = {"flip": 0.5, "rotate": 10, "scale": 0.2, "shift": 0.1, "crop": 0.3, "stroke": 0.3, "color": 0.3}
    changes = drawn(4, **settings)
    for change, images in ((change_sketches, sketches()), (change_photos, photos(channels=channels))):
        traced = torch.compile(change, fullgraph=True, backend="eager")
        assert torch.equal(traced(images, changes), change(images, changes))
    torch.compiler.reset()
