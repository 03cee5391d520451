import numpy as np
import pytest

from sketchy.config_file import load_config
from sketchy.dataset.held_out import HELD_OUT
from sketchy.dataset.loader import load_dataset
from sketchy.errors import DataError


def named(data, part, kind):
    """The categories of a part's photos or sketches."""
    labels = data.pack.photo_category if kind == "photos" else data.pack.sketch_category
    return {data.pack.categories[label] for label in labels[getattr(data.parts[part], kind)]}


def test_the_protocols_hold_out_25_and_21_categories():
    assert {name: len(categories) for name, categories in HELD_OUT.items()} == {"zero-shot-25": 25, "zero-shot-21": 21}
    assert HELD_OUT["zero-shot-25"] & HELD_OUT["zero-shot-21"] == {"scissors", "tree", "wheelchair", "windmill"}


@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_held_out_categories_are_in_no_other_part_and_all_in_their_own(zero_shot_config, kind):
    data = load_dataset(load_config(zero_shot_config))
    for part in ("train", "test"):
        assert named(data, part, kind) == {"bar", "cross"}
    assert named(data, "val", kind) <= {"bar", "cross"}
    assert named(data, "held_out", kind) == {"saw", "tree"}
    assert len(getattr(data.parts["held_out"], kind)) == {"photos": 20, "sketches": 40}[kind]


@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_every_image_is_in_exactly_one_part(zero_shot_config, kind):
    data = load_dataset(load_config(zero_shot_config))
    rows = np.concatenate([getattr(subset, kind) for subset in data.parts.values()])
    assert sorted(rows) == list(range(len(getattr(data.pack, kind))))


def test_what_is_left_is_split_as_ever(zero_shot_config):
    whole = load_dataset(load_config(zero_shot_config, ["data.held_out=null"]))
    assert set(whole.parts) == {"train", "val", "test"}
    rest = load_dataset(load_config(zero_shot_config))
    for part, subset in whole.parts.items():
        assert set(rest.parts[part].photos) == set(subset.photos) - set(rest.parts["held_out"].photos)


@pytest.mark.parametrize(("protocol", "told"), [("zero-shot-21", "2 of its 21"), ("zero-shot-25", "1 of its 25")])
def test_how_many_of_the_categories_are_there_is_said(zero_shot_config, protocol, told, caplog):
    caplog.set_level("INFO", "sketchy")
    load_dataset(load_config(zero_shot_config, [f"data.held_out={protocol}"]))
    assert caplog.messages == [f"{protocol}: {told} categories are in the dataset, and held out"]


def test_a_dataset_without_any_of_them_is_refused(tiny_config):
    config = load_config(tiny_config, ["data.held_out=zero-shot-25"])
    with pytest.raises(DataError, match=r"none of the 25 categories of zero-shot-25; set data.root .* to null"):
        load_dataset(config)
