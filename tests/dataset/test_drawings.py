import json

import numpy as np
import pytest

from sketchy.dataset.drawings import Drawings, joined, open_drawings
from sketchy.dataset.source import FolderSource
from sketchy.errors import DataError

LINES = [
    {"word": "kite", "recognized": True, "drawing": [[[0, 255], [0, 255]], [[0, 255], [255, 0]]]},
    {"word": "kite", "recognized": False, "drawing": [[[0, 9], [0, 9]]]},
    {"word": "boat", "drawing": [[[0, 100, 50], [0, 0, 50], [0, 20, 40]]]},
    {"word": "boat", "drawing": [[[7], [7]]]},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "all.ndjson").write_text("\n".join(map(json.dumps, LINES)))
    return tmp_path / "a"


def opened(folder):
    return open_drawings(FolderSource(folder), 32, None)


def test_drawings_are_read_but_those_not_recognized(folder):
    drawings, records, skipped = opened(folder)
    assert [record.category for record in records] == ["kite", "boat", "boat"]
    assert len(drawings) == 3
    assert [len(drawings.drawing(row).starts) for row in range(3)] == [2, 1, 1]
    assert skipped == []


def test_equal_drawings_have_one_id_wherever_they_stand(folder):
    (folder / "more.ndjson").write_text("\n" + json.dumps(LINES[2]))
    _, records, _ = opened(folder)
    ids = [record.photo_id for record in records]
    assert ids[1] == ids[3]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    "line",
    ["nothing", "[]", "{}", '{"word": "kite"}', '{"word": 3, "drawing": [[[1], [1]]]}', '{"word": "a", "drawing": 7}'],
)
def test_bad_lines_are_named_each_time(line, folder):
    (folder / "bad.ndjson").write_text(f"{json.dumps(LINES[0])}\n{line}\n")
    for _ in range(2):
        drawings, _, skipped = opened(folder)
        assert len(drawings) == 4
        assert [one.path for one in skipped] == [str(folder / "bad.ndjson, line 2")]
        assert skipped[0].reason == "not a drawing"


def test_files_without_any_drawing_are_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.ndjson").write_text("nothing")
    with pytest.raises(
        DataError, match=r"no drawings in the .ndjson files of .*such as x.ndjson, line 1: not a drawing"
    ):
        opened(tmp_path / "a")


def test_joined_drawings_follow_each_other(folder):
    drawings, _, _ = opened(folder)
    both = joined([drawings, drawings], 0.0)
    rows = np.arange(3)
    assert len(both) == 6
    assert np.array_equal(both[rows + 3], drawings[rows])


def test_an_altered_drawing_depends_on_its_seed_alone(folder):
    drawings, _, _ = opened(folder)
    shaken = joined([drawings], 1.0)
    seeds = [(0, 0, 0, index) for index in range(3)]
    one = shaken.drawn([0, 1, 2], seeds)
    assert np.array_equal(one[1:], shaken.drawn([1, 2], seeds[1:]))
    assert not np.array_equal(one, shaken.drawn([0, 1, 2], [(1, *seed[1:]) for seed in seeds]))


def test_without_alteration_drawings_are_drawn_as_they_are(folder):
    drawings, _, _ = opened(folder)
    assert isinstance(drawings, Drawings)
    assert np.array_equal(drawings.drawn([2, 0], [(0,), (1,)]), drawings[np.array([2, 0])])
    assert drawings.drawn([], []).shape == (0, 1, 32, 32)


def test_a_share_of_the_strokes_leaves_the_last_ones_out(folder):
    drawings, _, _ = opened(folder)
    whole, half = drawings[np.array([0])], drawings.first_part(np.array([0]), 0.5)
    assert (half < 128).sum() < (whole < 128).sum()
    assert np.array_equal(drawings.first_part(np.array([0]), 1.0), whole)
