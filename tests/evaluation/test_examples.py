import base64
from contextlib import contextmanager
from io import BytesIO
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from sketchy.errors import DataError, ImageError, Interrupted
from sketchy.evaluation.charts import Focus
from sketchy.evaluation.examples import EXAMPLES, THUMBNAIL, pick_examples, read_examples
from sketchy.progress import no_progress

NAMES = tuple("abcdefghijkl")


def picked(values, categories, counted=None):
    details = SimpleNamespace(queries=SimpleNamespace(categories=torch.tensor(categories)))
    counted = torch.ones(len(values), dtype=torch.bool) if counted is None else torch.tensor(counted)
    return pick_examples(details, Focus(False, counted, torch.tensor(values), "map_all"))


def png(size=(300, 150), mode="RGB"):
    content = BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else 255).save(content, "PNG")
    return content.getvalue()


class FakeData:
    """Photos 10.. and sketches 20.. of a pack that is nothing but names; remembers what was read."""

    def __init__(self, broken=None):
        self.broken = broken or {}
        self.read = []
        records = {row: SimpleNamespace(name=f"folder/{row}.png") for row in range(30)}
        self.pack = SimpleNamespace(categories=NAMES, photo_records=records, sketch_records=records)

    def photo_file(self, row):
        self.read.append(row)
        if row in self.broken:
            raise self.broken[row]
        return png()

    def photo_path(self, row):
        return f"/data/{row}.png"

    def sketch_file(self, row):
        return self.photo_file(row)

    sketch_path = photo_path


class Counter:
    """A `Progress` that counts."""

    total = done = 0

    @contextmanager
    def __call__(self, label, total, unit):
        self.total = total
        yield self.advance

    def advance(self, count):
        self.done += count


def evaluated(protocol="all"):
    """Two queries, of a and b, that find photos 10, 11, 12 of a, b, b; only the first one's photo is there."""
    return SimpleNamespace(
        evaluation=SimpleNamespace(protocol={"name": protocol}),
        subset=SimpleNamespace(photos=[10, 11, 12], sketches=[20, 21]),
        gallery_categories=torch.tensor([0, 1, 1]),
        queries=SimpleNamespace(categories=torch.tensor([0, 1]), instances=torch.tensor([0, -1])),
        scores=SimpleNamespace(
            nearest=torch.tensor([[1, 0], [1, 2]]),
            relevant=torch.tensor([1, 2]),
            metrics={"map_all": torch.tensor([0.5, 1.0])},
            instance_rank=torch.tensor([2, 0]),
        ),
    )


def read(data, protocol="all", progress=no_progress):
    details = evaluated(protocol)
    return read_examples(details, data, [0, 1], Focus.of(details), progress)


def test_best_and_worst_are_of_different_categories_and_share_no_query():
    best, worst = picked([0.9, 0.8, 0.1, 0.2, 0.3], [0, 0, 0, 1, 1])
    assert best == [0, 4]
    assert worst == [2, 3]


def test_equal_queries_are_taken_in_their_order():
    best, worst = picked([0.5] * 6, [2, 1, 0, 0, 1, 2])
    assert best == [0, 1, 2]
    assert worst == [3, 4, 5]


def test_queries_that_do_not_count_are_never_picked():
    assert picked([0.0, 1.0, 0.5], [0, 1, 2], [False, False, True]) == ([2], [])
    assert picked([0.0, 1.0], [0, 1], [False, False]) == ([], [])


def test_no_more_than_the_declared_number_is_picked():
    best, worst = picked([float(value) for value in range(24)], [number % 12 for number in range(24)])
    assert best == list(range(23, 23 - EXAMPLES, -1))
    assert worst == list(range(EXAMPLES))


def test_the_instance_protocol_ranks_queries_by_the_place_of_the_traced_photo():
    details = evaluated("instance")
    details.scores.instance_rank = torch.tensor([7, 3])
    assert pick_examples(details, Focus.of(details)) == ([1, 0], [])


def test_photos_are_right_by_category_and_the_traced_one_is_marked():
    first, second = read(FakeData())
    assert [(photo.category, photo.right, photo.traced) for photo in first.photos] == [
        ("b", False, False),
        ("a", True, True),
    ]
    assert [photo.right for photo in second.photos] == [True, True]
    assert (first.category, first.file, first.average_precision, first.traced_rank) == ("a", "folder/20.png", 0.5, 2)


def test_under_the_category_protocol_nothing_is_said_of_traced_photos():
    first, _ = read(FakeData(), "category")
    assert first.traced_rank == 0
    assert not any(photo.traced for photo in first.photos)


def test_under_the_instance_protocol_only_the_traced_photo_is_right():
    first, second = read(FakeData(), "instance")
    assert [photo.right for photo in first.photos] == [False, True]
    assert [photo.right for photo in second.photos] == [False, False]
    assert first.average_precision is None


def test_pictures_are_small_jpegs_inside_the_page():
    first, _ = read(FakeData())
    head, _, content = first.photos[0].image.partition(",")
    assert head == "data:image/jpeg;base64"
    picture = Image.open(BytesIO(base64.b64decode(content)))
    assert (picture.format, picture.size) == ("JPEG", (THUMBNAIL, THUMBNAIL // 2))


def test_every_file_is_read_once_and_in_the_order_of_the_pack():
    data, progress = FakeData(), Counter()
    read(data, progress=progress)
    assert data.read == [10, 11, 12, 20, 21]
    assert (progress.total, progress.done) == (5, 5)


@pytest.mark.parametrize("error", [DataError("gone"), ImageError("gone"), OSError("gone")])
def test_a_file_that_cannot_be_read_leaves_an_empty_picture_and_a_line(error, logged):
    first, second = read(FakeData({11: error, 20: error}))
    assert first.image == first.photos[0].image == second.photos[0].image == ""
    assert first.photos[1].image
    assert logged.messages == [f"/data/{row}.png is not shown on the page: gone" for row in (11, 20)]


def test_asking_to_stop_is_not_taken_for_a_broken_file():
    with pytest.raises(Interrupted):
        read(FakeData({10: Interrupted("stopped")}))
