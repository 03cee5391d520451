"""The things of the demo set: paths, variety, and that every category is well described."""

import numpy as np
import pytest

from sketchy.demo.raster import PALETTE, SIZE
from sketchy.demo.scenes import SCENES
from sketchy.demo.surface import GRAINS
from sketchy.demo.things import CATEGORIES, draw_thing, draw_warp, parse_paths


def as_is(points):
    return points


def paths(text, closed=True):
    return parse_paths(text, as_is, closed)


def distance(path, x, y):
    return np.linalg.norm(path - (x, y), axis=1)


def test_a_smooth_path_passes_through_its_points():
    (path,) = paths("0,0 1,2 3,1", closed=False)
    assert [distance(path, *point).min() for point in ((0, 0), (1, 2), (3, 1))] == pytest.approx([0, 0, 0])


@pytest.mark.parametrize(
    "text", ["0,0 1,0 1,1", "L 0,0 1,0 1,1", "B 0,0 2,1", "O 0,0 2,1", "| 0,-1 1,0 0,1", "@1 1,1 L 0,0 1,0 1,1"]
)
def test_an_outline_ends_where_it_begins(text):
    (path,) = paths(text)
    assert path[-1] == pytest.approx(path[0])


def test_a_path_is_straight_between_corners():
    for text in ("L 0,0 4,0 4,2", "0,0! 4,0! 4,2!"):
        (path,) = paths(text, closed=False)
        assert np.minimum(np.abs(path[:, 1]), np.abs(path[:, 0] - 4)).max() == pytest.approx(0)


def test_an_ellipse_has_its_radii():
    (path,) = paths("O 1,2 3,0.5", closed=False)
    assert (path.max(0), path.min(0)) == (pytest.approx([4, 2.5], abs=0.01), pytest.approx([-2, 1.5], abs=0.01))


def test_mirror_images_and_copies():
    right, left = paths("=L 1,0 2,0 2,1")
    assert left == pytest.approx(right * (-1, 1))
    (whole,) = paths("|L 1,-1 2,1")
    assert whole[:, 0].min() == pytest.approx(-2)
    spokes = paths("@4 5,5 L 0,0 1,0", closed=False)
    assert sorted(tuple(np.round(spoke[-1]).tolist()) for spoke in spokes) == [(4, 5), (5, 4), (5, 6), (6, 5)]


def test_the_copies_about_a_point_keep_their_shape_where_others_vary():
    warp = draw_warp(np.random.default_rng(0), tall=0.5, long=0.5)
    (wheel,), (hoop,) = parse_paths("@1 1,1 O 0,0 .4,.4", warp, True), parse_paths("O 1,1 .4,.4", warp, True)
    assert np.ptp(wheel, axis=0) == pytest.approx([0.8, 0.8])
    assert np.ptp(hoop, axis=0) != pytest.approx([0.8, 0.8], abs=0.05)


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_thing_is_large_and_completely_in_the_picture(name):
    things = [draw_thing(CATEGORIES[name], np.random.default_rng(seed)) for seed in range(6)]
    for thing in things:
        points = np.concatenate([path for part in thing.parts for path in part.paths])
        assert points.min() >= 0
        assert points.max() <= SIZE
        assert np.ptp(points, axis=0).max() > 0.5 * SIZE
    assert len({thing.parts[0].paths[0].tobytes() for thing in things}) == len(things)


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_category_has_only_known_fields_and_names(name):
    category = CATEGORIES[name]
    assert set(category.scenes) <= SCENES.keys()
    known = {
        "area",
        "line",
        "width",
        "fill",
        "fade",
        "within",
        "form",
        "texture",
        "gloss",
        "ink",
        "chance",
        "style",
        "flip",
    }
    fills = set()
    for part in category.parts:
        assert part.keys() <= known
        assert ("area" in part) + ("line" in part) == 1
        assert set(part.get("texture", "plain").split()) <= GRAINS.keys()
        assert set(part.get("style", category.styles[0]).split()) <= set(category.styles)
        fills |= {part[key].partition("*")[0] for key in ("fill", "fade") if key in part}
    assert fills <= category.colors.keys() | PALETTE.keys()
    assert category.colors.keys() <= fills
    assert {color for colors in category.colors.values() for color in colors.split()} <= PALETTE.keys()


def test_the_categories_are_in_alphabetical_order():
    assert list(CATEGORIES) == sorted(CATEGORIES)


def test_own_coordinates_can_be_mapped_back_to_pixels():
    thing = draw_thing(CATEGORIES["fish"], np.random.default_rng(0))
    across, down = thing.own_coordinates((20, 10, 23, 14))
    assert across.shape == down.shape == (4, 3)
    assert thing.matrix @ (across[2, 1], down[2, 1]) + thing.shift == pytest.approx([21.5, 12.5], abs=1e-3)
