import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.config_file import load_config
from sketchy.dataset.drawings import Drawings
from sketchy.dataset.further import Further, load_further, log_sources
from sketchy.dataset.loader import load_dataset
from sketchy.errors import DataError


def write_images(root, **counts):
    """Folders of so many drawings each of a line, every one another."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            image = Image.new("RGB", (32, 32), "white")
            ImageDraw.Draw(image).line((4, 4 + number, 28, 28), fill="black", width=2)
            image.save(root / folder / f"{number}.png")
    return root


def write_drawings(path, *words):
    lines = [{"word": word, "drawing": [[[0, 200 + index], [0, 100]]]} for index, word in enumerate(words)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.fixture
def load(zero_shot_config):
    """Load further sources beside a dataset of bar, cross, saw and tree."""

    def load(*changes, **paths):
        lists = [f"data.{kind}={json.dumps([str(path) for path in found])}" for kind, found in paths.items()]
        config = load_config(zero_shot_config, ["data.zero_shot=null", *lists, *changes])
        data = load_dataset(config)
        further = load_further(config, data)
        log_sources(further, data)
        return further

    return load


def per_category(further, part):
    return {further.categories[label]: int(count) for label, count in enumerate(np.bincount(part.categories)) if count}


def test_without_further_sources_the_categories_are_the_datasets_own(load):
    assert load() == Further(("bar", "cross", "saw", "tree"))


def test_categories_are_the_union_by_any_name_with_the_datasets_own_first(load, tmp_path):
    sketches = write_images(tmp_path / "a", **{"Tree": 2, "chain_saw": 1, "tennis racquet": 3, "zebra": 2})
    further = load(sketches=[sketches], photos=[write_images(tmp_path / "b", racket=4)])
    assert further.categories[:4] == ("bar", "cross", "saw", "tree")
    found = per_category(further, further.sketches[0])
    assert found["tree"] == 2
    assert found["racket"] == 3
    assert found["zebra"] == 2
    assert per_category(further, further.photos[0]) == {"racket": 4}


def test_a_share_of_each_source_is_held_out_and_the_same_one_every_time(load, tmp_path):
    root = write_images(tmp_path / "a", tree=4, zebra=2)
    first, second = (load("data.test_fraction=0.5", sketches=[root]).sketches[0] for _ in range(2))
    assert sorted([*first.train, *first.test]) == list(range(6))
    assert len(first.test) == 3
    assert first.test.tolist() == second.test.tolist()


def test_categories_of_a_zero_shot_protocol_are_left_out_by_every_name(load, tmp_path):
    sketches = write_images(tmp_path / "a", **{"Tree": 3, "palm tree": 3, "cross": 3})
    further = load("data.zero_shot=zero-shot-21", sketches=[sketches])
    part = further.sketches[0]
    kept = {further.categories[label] for label in part.categories[[*part.train, *part.test]]}
    assert kept == {"cross"}


def test_related_categories_are_named_but_never_two_of_the_datasets_own(load, tmp_path):
    further = load(sketches=[write_images(tmp_path / "a", bird=1, songbird=1, zebra=1)])
    names = further.categories
    related = further.related()
    assert related[names.index("bird"), names.index("songbird")]
    assert related[names.index("songbird"), names.index("bird")]
    assert not related[names.index("zebra"), :4].any()
    assert not related.diagonal().any()
    assert Further(names).related() is None


def test_the_name_of_a_file_may_say_what_it_shows(load, tmp_path):
    root = write_images(tmp_path / "a", flat=1)
    (root / "flat" / "0.png").rename(root / "n01518878_ostrich.png")
    further = load(photos=[root])
    assert per_category(further, further.photos[0]) == {"ostrich": 1}


def test_of_a_dataset_with_both_kinds_one_is_taken(load, dataset):
    further = load(sketches=[dataset], photos=[dataset])
    own = load_dataset(load_config(None, [f"data.root={dataset}", "image.size=16"]))
    assert len(further.sketches[0].images) == len(own.pack.sketches)
    assert len(further.photos[0].images) == len(own.pack.photos)


@pytest.mark.parametrize("single", [False, True])
def test_drawings_are_read_from_a_folder_and_from_one_file(single, load, tmp_path):
    (tmp_path / "a").mkdir()
    file = write_drawings(tmp_path / "a" / "mixed.ndjson", "tree", "tree", "zebra")
    further = load(sketches=[file if single else file.parent])
    part = further.sketches[0]
    assert isinstance(part.images, Drawings)
    assert per_category(further, part) == {"tree": 2, "zebra": 1}


def test_the_log_says_what_each_source_adds(load, tmp_path, logged):
    load(sketches=[write_images(tmp_path / "others", tree=3, zebra=1)], photos=[write_images(tmp_path / "b", zebra=1)])
    assert "3 sketches of 2 categories from others (2 with photos)" in logged.messages
    assert "1 photos of 1 categories from b (1 with sketches)" in logged.messages


def test_a_broken_image_is_left_out_and_named(load, tmp_path, logged):
    root = write_images(tmp_path / "a", tree=2)
    (root / "tree" / "2.png").write_bytes(b"nothing")
    assert len(load(sketches=[root]).sketches[0].images) == 2
    assert any("skipped 1 unreadable images" in line and "2.png" in line for line in logged.messages)


def test_a_source_without_images_is_an_error_that_says_what_is_wanted(load, tmp_path):
    with pytest.raises(DataError, match=r"no images of a sketch in .*; name a folder of <category>/<sketch>"):
        load(sketches=[tmp_path])


def test_a_missing_source_is_an_error(load, tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        load(photos=[tmp_path / "nowhere"])
