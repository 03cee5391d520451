import math

import numpy as np
import pytest
import torch

from sketchy.model.gradients import (
    BLUR,
    EDGES,
    FAINT,
    INK,
    LARGEST_MARGIN,
    ORIENTATIONS,
    PIXELS_PER_CELL,
    SPAN,
    OrientedGradients,
)


def slow_shrunk(grey, side, cuts):
    """Each pixel of the result is a Gaussian mean of all pixels along one axis, then along the other."""
    for axis, cut in enumerate(cuts):
        size = grey.shape[axis]
        step = (1 - 2 * cut) * size / side
        rows = []
        for index in range(side):
            centre = cut * size + (index + 0.5) * step
            weights = np.array(
                [math.exp(-0.5 * ((centre - pixel - 0.5) / (BLUR * step)) ** 2) for pixel in range(size)]
            )
            rows.append(np.tensordot(weights / weights.sum(), grey, (0, axis)))
        grey = np.stack(rows, axis)
    return grey


def slow_cuts(grey):
    """Share of the height and width to cut off at either end."""
    ink = grey < INK
    if not ink.any():
        return 0.0, 0.0
    cuts, spans = [], []
    for axis in (1, 0):
        inked = np.flatnonzero(ink.any(axis))
        size = grey.shape[1 - axis]
        cuts.append(min(inked[0], size - 1 - inked[-1]) / size)
        spans.append((inked[-1] - inked[0] + 1) / size)
    return tuple(min(cut, LARGEST_MARGIN) if span >= SPAN else 0.0 for cut, span in zip(cuts, spans[::-1], strict=True))


def slow_descriptor(image, cells, kind):
    """The descriptor of one (C, S, S) image, pixel by pixel in float64."""
    side = cells * PIXELS_PER_CELL
    grey = image.astype(np.float64).mean(0)
    grey = slow_shrunk(grey / 255, side, slow_cuts(grey) if kind == "sketch" else (0.0, 0.0))
    padded = np.pad(grey, 1, mode="edge")
    right, down = padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]
    strength = np.hypot(right, down)
    least = np.sort(strength, axis=None)[-int(EDGES * side**2)] if kind == "photo" else 0.0
    found = np.zeros((ORIENTATIONS, cells, cells))
    for y in range(side):
        for x in range(side):
            weight = max(strength[y, x] - max(least, FAINT), 0)
            for orientation in range(ORIENTATIONS):
                angle = 2 * math.atan2(down[y, x], right[y, x]) - 2 * math.pi * orientation / ORIENTATIONS
                found[orientation, y // PIXELS_PER_CELL, x // PIXELS_PER_CELL] += max(math.cos(angle), 0) ** 4 * weight
    flat = np.sqrt(found.ravel() / max(found.sum(), 1e-12))
    return flat / max(np.linalg.norm(flat), 1e-12)


def drawn(kind, seed=0):
    """A noisy photo with a bright box, or a wide drawing in the middle of a white sheet."""
    rng = np.random.default_rng(seed)
    if kind == "photo":
        image = rng.integers(0, 60, (3, 40, 40))
        image[:, 8:30, 10:22] += 150
        return image.astype(np.uint8)
    image = np.full((1, 36, 36), 255, np.uint8)
    image[0, 9:27, 2] = image[0, 10, 2:34] = image[0, 26, 3:35] = image[0, 10:27, 33] = 0
    return image


@pytest.mark.parametrize("kind", ["photo", "sketch"])
def test_it_is_the_descriptor_that_loops_over_pixels_make(kind):
    image = drawn(kind)
    found = OrientedGradients(3)(torch.from_numpy(image[np.newaxis]), kind)[0]
    np.testing.assert_allclose(found.numpy(), slow_descriptor(image, 3, kind), atol=2e-4)


@pytest.mark.parametrize("kind", ["photo", "sketch"])
@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_plain_image_has_none(kind, value):
    found = OrientedGradients(4)(torch.full((2, 1, 50, 50), value, dtype=torch.uint8), kind)
    assert torch.equal(found, torch.zeros(2, 4 * 4 * ORIENTATIONS))


def test_each_image_is_described_as_it_is_alone():
    images = torch.from_numpy(np.stack([drawn("photo", seed) for seed in range(3)]))
    describe = OrientedGradients(4)
    alone = torch.cat([describe(image[None], "photo") for image in images])
    assert torch.allclose(describe(images, "photo"), alone, atol=1e-5)
    assert torch.allclose(alone.norm(dim=1), torch.ones(3))


def test_upright_and_level_lines_are_told_apart_and_their_direction_does_not_count():
    upright = torch.full((1, 1, 48, 48), 255, dtype=torch.uint8)
    upright[:, :, :, 24:] = 0
    describe = OrientedGradients(4)
    one, turned, level = (
        describe(image, "sketch") for image in (upright, 255 - upright, upright.transpose(2, 3).contiguous())
    )
    assert float((one * level).sum()) < 0.3
    assert float((one * turned).sum()) > 0.99


def test_a_wide_drawing_is_compared_with_its_photo_without_the_margins_of_the_sheet():
    sheet = torch.full((1, 1, 96, 96), 255, dtype=torch.uint8)
    sheet[:, :, 20:76, 2] = sheet[:, :, 20:76, 93] = sheet[:, :, 20, 2:94] = sheet[:, :, 75, 2:94] = 0
    photo = torch.full((1, 1, 96, 96), 255, dtype=torch.uint8)
    photo[:, :, 2:94, 2:94] = 0
    describe = OrientedGradients(6)
    narrow = sheet.clone()
    narrow[:, :, :, :14] = narrow[:, :, :, 82:] = 255
    narrow[:, :, 20:76, 14] = narrow[:, :, 20:76, 81] = 0  # spans too little of the sheet to be cut
    of_photo = describe(photo, "photo")
    assert float((describe(sheet, "sketch") * of_photo).sum()) > 1.3 * float(
        (describe(narrow, "sketch") * of_photo).sum()
    )
