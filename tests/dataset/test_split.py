import random
from collections import Counter

import pytest

from sketchy.dataset.records import Record
from sketchy.dataset.split import split_photos


def photos(category: str, count: int) -> list[Record]:
    return [Record("photo", category, f"p{n:04}", f"photo/{category}/p{n:04}.jpg") for n in range(count)]


def sketches(category: str, ids: range, each: int = 2) -> list[Record]:
    return [
        Record("sketch", category, f"p{n:04}", f"sketch/{category}/p{n:04}-{draw}.png")
        for n in ids
        for draw in range(each)
    ]


def dataset(categories: int = 100) -> list[Record]:
    """As the shared sample: 25 photos a category, 4 of them sketched."""
    names = [f"category {n}" for n in range(categories)]
    return [record for name in names for record in photos(name, 25) + sketches(name, range(4))]


def test_the_test_fraction_holds_in_every_category_for_sketched_and_unsketched_alike() -> None:
    parts = split_photos(dataset(), 0.2, 0.1, seed=0)
    held_out = [key for key, part in parts.items() if part == "test"]
    sketched = Counter(category for category, photo_id in held_out if photo_id <= "p0003")
    unsketched = Counter(category for category, photo_id in held_out if photo_id > "p0003")
    assert set(sketched.values()) == {1}  # of 4
    assert set(unsketched.values()) == {4}  # of 21
    assert len(sketched) == len(unsketched) == 100


def test_the_validation_share_holds_overall_where_no_category_has_enough_for_one() -> None:
    parts = split_photos(dataset(1000), 0.2, 0.1, seed=0)
    in_val = [photo_id for (_, photo_id), part in parts.items() if part == "val"]
    assert sum(photo_id <= "p0003" for photo_id in in_val) == pytest.approx(0.1 * 3 * 1000, rel=0.15)
    assert sum(photo_id > "p0003" for photo_id in in_val) == pytest.approx(0.1 * 17 * 1000, rel=0.05)


def test_a_validation_fraction_of_0_takes_none() -> None:
    assert set(split_photos(dataset(), 0.2, 0.0, seed=0).values()) == {"train", "test"}


def test_a_test_fraction_of_0_holds_none_out() -> None:
    assert set(split_photos(dataset(), 0.0, 0.1, seed=0).values()) == {"train", "val"}


def test_every_photo_id_has_one_part() -> None:
    records = dataset()
    assert split_photos(records, 0.2, 0.1, seed=0).keys() == {(r.category, r.photo_id) for r in records}


def test_the_order_of_records_changes_nothing() -> None:
    records = dataset()
    shuffled = random.Random(0).sample(records, len(records))
    assert split_photos(records, 0.2, 0.1, seed=3) == split_photos(shuffled, 0.2, 0.1, seed=3)


def test_another_category_changes_nothing_for_the_others() -> None:
    before = split_photos(dataset(10), 0.2, 0.1, seed=0)
    after = split_photos(dataset(11), 0.2, 0.1, seed=0)
    assert before.items() <= after.items()


def test_another_validation_fraction_does_not_touch_the_test_photos() -> None:
    held_out = [
        {key for key, part in split_photos(dataset(), 0.2, fraction, seed=0).items() if part == "test"}
        for fraction in (0.0, 0.1, 0.5)
    ]
    assert held_out[0] == held_out[1] == held_out[2]


def test_another_seed_holds_out_others() -> None:
    assert split_photos(dataset(), 0.2, 0.1, seed=0) != split_photos(dataset(), 0.2, 0.1, seed=1)


def test_the_split_is_this_one_on_every_machine() -> None:
    parts = split_photos(photos("cat", 10), 0.2, 0.25, seed=0)
    assert {photo_id: part for (_, photo_id), part in parts.items() if part != "train"} == {
        "p0000": "test",
        "p0002": "test",
        "p0003": "val",
        "p0005": "val",
    }


@pytest.mark.parametrize(("count", "fraction", "held_out"), [(5, 0.5, 3), (5, 0.3, 2), (4, 0.1, 0), (2, 0.25, 1)])
def test_test_photos_are_rounded_half_up(count: int, fraction: float, held_out: int) -> None:
    parts = split_photos(photos("cat", count), fraction, 0.0, seed=0)
    assert list(parts.values()).count("test") == held_out


@pytest.mark.parametrize("seed", range(10))
def test_an_only_photo_stays_in_train(seed: int) -> None:
    records = photos("cat", 1) + sketches("cat", range(1))
    assert split_photos(records, 0.9, 0.9, seed) == {("cat", "p0000"): "train"}


@pytest.mark.parametrize("seed", range(10))
def test_a_category_keeps_a_photo_in_train_that_was_sketched_if_one_was(seed: int) -> None:
    records = photos("cat", 4) + sketches("cat", range(1)) + sketches("cat", range(7, 12))
    parts = split_photos(records, 0.9, 0.9, seed)
    assert [key for key, part in parts.items() if part == "train" and key[1] < "p0004"] == [("cat", "p0000")]


def test_sketches_of_a_missing_photo_are_split_as_one_id() -> None:
    parts = split_photos(sketches("cat", range(10), each=5), 0.2, 0.0, seed=0)
    assert Counter(parts.values()) == {"train": 8, "test": 2}


def test_no_records_make_no_parts() -> None:
    assert split_photos([], 0.2, 0.1, seed=0) == {}


def test_names_that_are_no_unicode_are_split_too() -> None:
    odd = Record("photo", "caf\udce9", "\udcff", "photo/caf\udce9/\udcff.jpg")
    assert split_photos([odd], 0.2, 0.1, seed=0) == {("caf\udce9", "\udcff"): "train"}
