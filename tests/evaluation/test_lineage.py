from dataclasses import replace
from types import SimpleNamespace

import pytest

from sketchy.config import Config
from sketchy.dataset.records import Record
from sketchy.evaluation.lineage import dataset_digest, warn_if_changed
from sketchy.model.checkpoint import Checkpoint

PHOTO = Record("photo", "ant", "n1", "a/photo/ant/n1.jpg")
SKETCH = Record("sketch", "ant", "n1", "a/sketch/ant/n1-1.png")


def dataset(*photos):
    pack = SimpleNamespace(photo_records=photos, sketch_records=(SKETCH,))
    return SimpleNamespace(pack=pack, source=SimpleNamespace(path="data"))


def test_place_and_order_of_a_dataset_do_not_count():
    records = tuple(replace(record, name=f"x/{record.name}") for record in (SKETCH, PHOTO))
    elsewhere = SimpleNamespace(pack=SimpleNamespace(photo_records=records, sketch_records=()))
    assert dataset_digest(elsewhere) == dataset_digest(dataset(PHOTO))


@pytest.mark.parametrize(
    "other", [(), (PHOTO, PHOTO), (replace(PHOTO, category="bee"),), (replace(PHOTO, name="a/photo/ant/n2.jpg"),)]
)
def test_another_set_of_images_is_warned_of(other, logged):
    saved = Checkpoint(Config(), ("ant",), 1, {}, {}, dataset=dataset_digest(dataset(PHOTO)))
    warn_if_changed(saved, dataset(PHOTO))
    assert logged.messages == []
    warn_if_changed(saved, dataset(*other))
    (record,) = logged.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("data holds other images than the run was trained with")


def test_a_checkpoint_that_does_not_know_is_let_through(logged):
    warn_if_changed(Checkpoint(Config(), ("ant",), 1, {}, {}), dataset(PHOTO))
    assert logged.messages == []
