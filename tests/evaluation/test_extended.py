import shutil

import pytest
import torch
from PIL import Image

from sketchy.dataset.loader import load_dataset
from sketchy.errors import DataError
from sketchy.evaluation.evaluate import evaluate_subset
from sketchy.evaluation.extended import embed_extension
from sketchy.model.checkpoint import load_checkpoint
from sketchy.retrieval.model import load_model


@pytest.fixture
def scene(zero_shot_checkpoint):
    """Dataset, held-out part and model of a run that holds out saws and trees."""
    loaded = load_checkpoint(zero_shot_checkpoint)
    data = load_dataset(loaded.config)
    return data, data.parts["zero_shot"], load_model(zero_shot_checkpoint, "cpu")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "extension"


def paint(path, color):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (48, 48), color).save(path)
    return path


def names(data, extension):
    return [data.pack.categories[number] for number in extension.categories]


def test_new_photos_of_the_zero_shot_categories_are_embedded(scene, folder):
    data, subset, model = scene
    paths = [paint(folder / "saw" / "ext_1.jpg", "red"), paint(folder / "tree" / "deep" / "tree" / "n_7.png", "blue")]
    paint(folder / "bar" / "ext_2.jpg", "green")  # trained on
    paint(folder / "ext_3.jpg", "green")  # of no category
    found = embed_extension([folder], data, subset, model)
    assert names(data, found) == ["saw", "tree"]
    assert found.embeddings.numpy().tolist() == model.embed_files(paths, "photo").embeddings.tolist()
    assert found.copies == 0
    assert found.skipped == ()


def test_a_photo_counts_once(scene, folder):
    data, subset, model = scene
    own = data.photo_path(int(subset.photos[0]))  # saw/p0.jpg
    assert own.endswith("saw/p0.jpg")
    paint(folder / "saw" / "new.jpg", "red")
    shutil.copy(folder / "saw" / "new.jpg", folder / "saw" / "new again.jpg")
    shutil.copy(own, folder / "saw" / "renamed.jpg")
    paint(folder / "saw" / "p1.png", "blue")  # the id of a photo of the dataset, in another rendering
    found = embed_extension([folder], data, subset, model)
    assert len(found.embeddings) == 1
    assert found.copies == 3


def test_the_same_in_another_category_is_no_copy(scene, folder):
    data, subset, model = scene
    saw = data.photo_path(int(subset.photos[0]))
    (folder / "tree").mkdir(parents=True)
    shutil.copy(saw, folder / "tree" / "of a saw.jpg")
    paint(folder / "saw" / "ext_p1.jpg", "red")
    paint(folder / "tree" / "ext_p1.jpg", "red")
    found = embed_extension([folder], data, subset, model)
    assert names(data, found) == ["saw", "tree", "tree"]
    assert found.copies == 0


def test_broken_files_are_skipped_with_the_reason(scene, folder):
    data, subset, model = scene
    paint(folder / "saw" / "whole.jpg", "red")
    (folder / "saw" / "broken.jpg").write_bytes(b"no image")
    (folder / "tree").mkdir()
    (folder / "tree" / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    found = embed_extension([folder], data, subset, model)
    assert names(data, found) == ["saw"]
    assert [(item.path.rpartition("/")[2], bool(item.reason)) for item in found.skipped] == [
        ("broken.jpg", True),
        ("gone.jpg", True),
    ]


def test_a_folder_of_other_things_is_refused(scene, folder):
    paint(folder / "bar" / "1.jpg", "red")
    with pytest.raises(DataError, match=r"no photo of the zero-shot categories below .*<category>/<photo>"):
        embed_extension([folder], *scene)


def test_the_gallery_has_the_further_photos_behind_its_own(scene, folder, zero_shot_checkpoint):
    data, subset, model = scene
    for number in range(3):
        paint(folder / "tree" / f"ext_{number}.jpg", (80 * number, 0, 0))
    extension = embed_extension([folder], data, subset, model)
    encoder = load_checkpoint(zero_shot_checkpoint).encoder()
    own = evaluate_subset(encoder, data, subset, "zero-shot-21")
    found = evaluate_subset(encoder, data, subset, "zero-shot-21", extension=extension)
    assert torch.equal(found.gallery_categories[:20], own.gallery_categories)
    assert torch.equal(found.queries.instances, own.queries.instances)
    told = found.evaluation.protocol
    assert told["gallery"] == 23
    assert [told[f"extended_{what}"] for what in ("photos", "copies", "skipped")] == [3, 0, 0]
    assert found.evaluation.per_category["tree"]["photos"] == 13
    assert found.evaluation.chance["p_at_100"] == pytest.approx((10 + 13) / 2 / 100)
