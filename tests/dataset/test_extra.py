import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.dataset.extra import load_extra
from sketchy.errors import DataError
from sketchy.preprocess import Preprocess

PREPROCESS = Preprocess(16, "rgb", 0.5)
NAMES = ("bear", "car_(sedan)", "cup", "zebra")


@pytest.fixture
def sketches(tmp_path):
    """Three folders that are known, by name, by what stands before a bracket and by a synonym, and one that is not."""
    root = tmp_path / "extra"
    for folder, count in (("bear_(animal)", 2), ("Car (sedan)", 1), ("mug", 3), ("sponge_bob", 2)):
        (root / folder).mkdir(parents=True)
        for number in range(count):
            image = Image.new("L", (32, 32), 255)
            ImageDraw.Draw(image).line((4, 4 + number, 28, 28), fill=0, width=2)
            image.save(root / folder / f"{number}.png")
    return root


def load(root, names=NAMES):
    return load_extra(root, names, PREPROCESS, None, test_fraction=0.5, seed=0)


def test_categories_are_matched_by_plain_name_and_synonym(sketches):
    found = load(sketches)
    assert np.bincount(found.categories, minlength=4).tolist() == [2, 1, 3, 0]
    assert found.matched == 3
    assert found.images.shape == (6, 1, 16, 16)
    expected = PREPROCESS.load(sketches / "mug" / "1.png", "sketch")
    assert any(np.array_equal(image, expected) for image in found.images[found.categories == 2])


def test_a_category_that_has_the_name_itself_is_not_taken_for_its_synonym(sketches):
    found = load(sketches, ("cup", "mug"))
    assert found.categories.tolist() == [1, 1, 1]


def test_a_category_that_is_left_out_is_found_under_no_name(sketches):
    (sketches / "mug").rename(sketches / "cup")
    (sketches / "teacup").mkdir()
    (sketches / "cup" / "0.png").rename(sketches / "teacup" / "0.png")
    found = load_extra(sketches, NAMES, PREPROCESS, None, test_fraction=0.2, seed=0, leave_out={"cup"})
    assert np.bincount(found.categories, minlength=4).tolist() == [2, 1, 0, 0]


def test_a_broken_sketch_is_left_out(sketches):
    (sketches / "mug" / "3.png").write_bytes(b"nothing")
    assert len(load(sketches).images) == 6


def test_nothing_in_common_is_an_error_that_says_what_is_wanted(sketches):
    with pytest.raises(DataError, match="no sketches of a category trained on"):
        load(sketches, ("boat",))


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_a_share_of_each_category_is_held_out_and_the_same_one_every_time(sketches):
    found, again = load(sketches), load(sketches)
    assert sorted([*found.train, *found.test]) == list(range(6))
    assert np.bincount(found.categories[found.test], minlength=4).tolist() == [1, 0, 2, 0]  # half, but never all
    assert found.test.tolist() == again.test.tolist()
