"""Queries of several parts: what they are as one embedding, and what they find."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchy.errors import CheckpointError, ImageError, UnknownWordError
from sketchy.inference.description import SpatialPart
from sketchy.retrieval.query import LIKE, TEXT, UNLIKE, Query, combine, make_query

SPATIAL = SpatialPart(2, 0.2)
CATEGORIES = ("disc", "square", "bar", "cross")


def embedding(category, cells) -> np.ndarray:
    """An embedding with a spatial part, as a model makes it."""
    parts = np.array(category, float) / np.linalg.norm(category), np.array(cells, float) / np.linalg.norm(cells)
    return np.concatenate([parts[0] * 0.8**0.5, parts[1] * 0.2**0.5]).astype(np.float32)


DRAWING, PHOTO, OTHER = embedding([1, 0, 0], [1, 0]), embedding([0, 1, 0], [0, 1]), embedding([0, 0, 1], [1, 1])
WORD = np.array([0, 1, 0], np.float32)


def test_a_drawing_alone_is_its_own_embedding():
    vector, has_spatial = combine(Query(DRAWING, "sketch"), [], [], SPATIAL)
    np.testing.assert_array_equal(vector, DRAWING)
    assert has_spatial


def test_words_alone_have_no_spatial_part():
    vector, has_spatial = combine(Query(words=WORD), [], [], SPATIAL)
    np.testing.assert_allclose(vector, [0, 0.8**0.5, 0, 0, 0], atol=1e-6)
    assert not has_spatial
    vector, has_spatial = combine(Query(words=WORD), [], [], None)
    np.testing.assert_array_equal(vector, WORD)
    assert has_spatial


def test_words_beside_a_drawing_change_its_category_part_only():
    vector, has_spatial = combine(Query(DRAWING, "sketch", WORD), [], [], SPATIAL)
    np.testing.assert_allclose(vector, embedding([1 - TEXT, TEXT, 0], [1, 0]), atol=1e-6)
    assert has_spatial


def test_examples_alone_are_their_mean_less_a_part_of_the_bad_ones():
    vector, _ = combine(Query(), [PHOTO], [], SPATIAL)
    np.testing.assert_allclose(vector, PHOTO, atol=1e-6)
    vector, _ = combine(Query(), [DRAWING, PHOTO], [OTHER], SPATIAL)
    cells = np.array([0.5, 0.5]) - UNLIKE * np.array([1, 1]) / 2**0.5
    np.testing.assert_allclose(vector, embedding([0.5, 0.5, -UNLIKE], cells), atol=1e-6)


def test_examples_move_a_drawing_in_both_parts():
    vector, _ = combine(Query(DRAWING, "sketch"), [PHOTO], [OTHER], SPATIAL)
    cells = np.array([1, LIKE]) - UNLIKE * np.array([1, 1]) / 2**0.5
    np.testing.assert_allclose(vector, embedding([1, LIKE, -UNLIKE], cells), atol=1e-6)


def test_a_bad_example_beside_words_leaves_the_spatial_part_open():
    vector, has_spatial = combine(Query(words=WORD), [], [OTHER], SPATIAL)
    np.testing.assert_allclose(vector[:3], embedding([0, 1, -UNLIKE], [1, 1])[:3], atol=1e-6)
    assert not has_spatial


@pytest.mark.parametrize("extras", [{}, {"unlike": "a.jpg"}, {"without": ["a.jpg"]}])
def test_nothing_to_search_for_is_an_error(named, extras):
    with pytest.raises(ValueError, match="nothing to search for; give an image, words, or a photo to be like"):
        make_query(named, **extras)


def categories(hits) -> list[str | None]:
    return [hit.category for hit in hits]


def mean_rank(hits, category: str) -> float:
    return float(np.mean([rank for rank, hit in enumerate(hits) if hit.category == category]))


@pytest.mark.parametrize(("text", "category"), [("kitten", "cross"), ("cookie", "disc"), ("windows", "square")])
def test_words_find_the_photos_of_a_thing(named_index, text, category):
    hits = named_index.search(text=text, k=40)
    assert min(CATEGORIES, key=lambda name: mean_rank(hits, name)) == category
    assert all(hit.score is None and 0 <= hit.distance <= 2 for hit in hits)
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)


def test_words_decide_what_a_drawing_leaves_open(named_index, dataset):
    sketch = next((dataset / "256x256" / "sketch").rglob("disc/*.png"))
    alone, with_word = (named_index.search(sketch, k=40, **extras) for extras in ({}, {"text": "bread"}))
    assert mean_rank(with_word, "bar") < mean_rank(alone, "bar")
    assert alone[0].score is not None
    assert with_word[0].score is None


def test_a_least_score_needs_a_drawing_and_nothing_else(named_index, dataset):
    sketch = next((dataset / "256x256" / "sketch").rglob("disc/*.png"))
    assert named_index.search(sketch, min_score=0.0)
    for extras in ({"text": "cat"}, {"like": str(sketch)}):
        with pytest.raises(CheckpointError, match="no calibrated score; only a drawing as query has one; use"):
            named_index.search(sketch, min_score=0.0, **extras)


def test_a_model_without_names_refuses_words(index):
    with pytest.raises(UnknownWordError, match="this model knows nothing by name"):
        index.search(text="cat")


def test_a_photo_that_is_the_query_is_not_among_the_hits(named_index, photos, tmp_path):
    photo = photos / "disc" / "p1.jpg"
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(photo.read_bytes())
    for query in (photo, str(photo), copy, photo.read_bytes()):
        hits = named_index.search(query, kind="photo", k=40)
        assert len(hits) == 39
        assert str(photo) not in [hit.path for hit in hits]
    with Image.open(photo) as opened:  # pixels are not recognised
        assert named_index.search(opened, kind="photo", k=1)[0].path == str(photo)


def test_more_like_photos_finds_what_is_near_to_all_of_them_without_them(named_index, photos):
    disc, bar = (str(photos / name / "p0.jpg") for name in ("disc", "bar"))
    hits = named_index.search(like=disc, k=40)
    alone = named_index.search(disc, kind="photo", k=40)
    assert [hit.path for hit in hits] == [hit.path for hit in alone]
    both = named_index.search(like=[disc, bar], k=40)
    assert mean_rank(both, "bar") < mean_rank(hits, "bar")
    assert len(both) == 38
    assert not {disc, bar} & {hit.path for hit in both}


def test_less_like_a_photo_moves_its_kind_back(named_index, photos):
    disc, bar = (str(photos / name / "p0.jpg") for name in ("disc", "bar"))
    other = str(photos / "bar" / "p3.jpg")
    both, less = (named_index.search(like=[disc, bar], unlike=unlike, k=40) for unlike in ((), other))
    assert mean_rank(less, "bar") > mean_rank(both, "bar")
    assert other not in [hit.path for hit in less]


def test_a_photo_that_is_left_out_is_none_of_the_hits_and_changes_no_other(named_index, photos):
    every = named_index.search(text="cat", k=40)
    gone = every[0].path
    assert named_index.search(text="cat", k=39, without=gone) == every[1:]


def test_an_example_may_be_a_file_that_is_not_in_the_gallery(named_index, photos, tmp_path):
    other = tmp_path / "other.jpg"
    Image.open(photos / "disc" / "p2.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    assert categories(named_index.search(like=str(other), k=1)) == ["disc"]
    with pytest.raises(ImageError, match=r"cannot use nowhere\.jpg as a photo: no such file"):
        named_index.search(like="nowhere.jpg")


def test_examples_are_found_by_relative_paths(named_index, photos, monkeypatch):
    monkeypatch.chdir(photos)
    monkeypatch.setattr(type(named_index.model), "embed", None)  # they are in the index
    hits = named_index.search(like=str(Path("disc") / "p1.jpg"), k=40)
    assert str(photos / "disc" / "p1.jpg") not in [hit.path for hit in hits]
