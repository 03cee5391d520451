import numpy as np
import pytest

from sketchy.config_file import load_config
from sketchy.dataset.loader import load_dataset
from sketchy.dataset.zero_shot import ZERO_SHOT_CATEGORIES as PROTOCOLS
from sketchy.errors import DataError


def named(data, part, kind):
    """The categories of a part's photos or sketches."""
    labels = data.pack.photo_category if kind == "photos" else data.pack.sketch_category
    return {data.pack.categories[label] for label in labels[getattr(data.parts[part], kind)]}


def test_the_protocols_hold_out_25_and_21_categories():
    assert {name: len(categories) for name, categories in PROTOCOLS.items()} == {
        "zero-shot-25": 25,
        "zero-shot-21": 21,
    }
    assert PROTOCOLS["zero-shot-25"] & PROTOCOLS["zero-shot-21"] == {
        "scissors",
        "tree",
        "wheelchair",
        "windmill",
    }


@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_zero_shot_categories_are_in_no_other_part_and_all_in_their_own(zero_shot_config, kind):
    data = load_dataset(load_config(zero_shot_config))
    for part in ("train", "test"):
        assert named(data, part, kind) == {"bar", "cross"}
    assert named(data, "val", kind) <= {"bar", "cross"}
    assert named(data, "zero_shot", kind) == {"saw", "tree"}
    assert len(getattr(data.parts["zero_shot"], kind)) == {"photos": 20, "sketches": 40}[kind]


@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_every_image_is_in_exactly_one_part(zero_shot_config, kind):
    data = load_dataset(load_config(zero_shot_config))
    rows = np.concatenate([getattr(subset, kind) for subset in data.parts.values()])
    assert sorted(rows) == list(range(len(getattr(data.pack, kind))))


def test_what_is_left_is_split_as_ever(zero_shot_config):
    whole = load_dataset(load_config(zero_shot_config, ["data.zero_shot=null"]))
    assert set(whole.parts) == {"train", "val", "test"}
    rest = load_dataset(load_config(zero_shot_config))
    for part, subset in whole.parts.items():
        assert set(rest.parts[part].photos) == set(subset.photos) - set(rest.parts["zero_shot"].photos)


@pytest.mark.parametrize(("protocol", "told"), [("zero-shot-21", "2 of its 21"), ("zero-shot-25", "1 of its 25")])
def test_how_many_of_the_categories_are_there_is_said(zero_shot_config, protocol, told, caplog):
    caplog.set_level("INFO", "sketchy")
    load_dataset(load_config(zero_shot_config, [f"data.zero_shot={protocol}"]))
    assert caplog.messages == [f"{protocol}: the dataset has {told} categories; they are not trained on"]


def test_a_dataset_without_any_of_them_is_refused(tiny_config):
    config = load_config(tiny_config, ["data.zero_shot=zero-shot-25"])
    with pytest.raises(DataError, match=r"none of the 25 categories of zero-shot-25; set data.root .* to null"):
        load_dataset(config)
