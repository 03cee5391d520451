import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from sketchy.commands import evaluate, train
from sketchy.config_file import load_config
from sketchy.dataset.loader import load_dataset
from sketchy.errors import CheckpointError, DataError, GalleryError, StorageError
from sketchy.model.checkpoint import load_checkpoint, save_checkpoint
from sketchy.retrieval.model import load_model


def test_a_trained_model_beats_chance_on_the_test_split(trained):
    found = evaluate.run(trained / "tiny" / "best.pth")
    assert found.protocol["queries"] == 16
    assert found.protocol["gallery"] == 8
    assert found.metrics["map_all"] > 1.5 * found.chance["map_all"]
    assert found.metrics.keys() == found.chance.keys()
    assert found.per_category.keys() == {"bar", "cross", "disc", "square"}


def test_test_photos_were_never_trained_on(trained):
    data = load_dataset(load_config(trained / "tiny" / "config.yaml"))
    seen = {row for name in ("train", "val") for row in data.parts[name].photos.tolist()}
    held_out = set(data.parts["test"].photos.tolist())
    assert held_out
    assert not held_out & seen
    traced = data.pack.sketch_photo[data.parts["test"].sketches]
    assert set(traced.tolist()) <= held_out


@pytest.mark.parametrize(
    ("protocol", "keys"),
    [
        ("category", {"map_all", "p_at_1", "p_at_5", "p_at_10", "p_at_100"}),
        ("instance", {"instance_r_at_1", "instance_r_at_5", "instance_r_at_10"}),
    ],
)
def test_a_protocol_measures_its_own_metrics(trained, protocol, keys):
    assert evaluate.run(trained / "tiny" / "best.pth", protocol=protocol).metrics.keys() == keys


def test_the_report_is_one_page_that_needs_nothing_else(trained, tmp_path):
    evaluate.run(trained / "tiny" / "best.pth", report=tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "mAP" in page
    assert "square" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_another_place_of_the_dataset_gives_the_same_figures(trained, dataset, tmp_path):
    moved = tmp_path / "moved"
    moved.symlink_to(dataset)
    assert evaluate.run(trained / "tiny" / "best.pth", data=moved) == evaluate.run(trained / "tiny" / "best.pth")


def test_a_dataset_that_changed_is_warned_about(trained, dataset, tmp_path, logged):
    changed = shutil.copytree(dataset, tmp_path / "changed")
    next((changed / "256x256" / "photo").rglob("disc/p1.jpg")).unlink()
    evaluate.run(trained / "tiny" / "best.pth", data=changed)
    assert any("holds other images than the run was trained with" in line for line in logged.messages)
    logged.clear()
    evaluate.run(trained / "tiny" / "best.pth")
    assert not any("other images" in line for line in logged.messages)


def test_a_dataset_that_moved_is_asked_for(trained, tmp_path):
    checkpoint = load_checkpoint(trained / "tiny" / "best.pth")
    data = checkpoint.config.data.model_copy(update={"root": "/moved"})
    config = checkpoint.config.model_copy(update={"data": data})
    save_checkpoint(tmp_path / "moved.pth", replace(checkpoint, config=config))
    with pytest.raises(DataError, match=r"is not at /moved; give its path with --data PATH"):
        evaluate.run(tmp_path / "moved.pth")
    assert evaluate.run(tmp_path / "moved.pth", data=Path(checkpoint.config.data.root)).metrics


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*file/report/index.html: .*file is a file"):
        evaluate.run(tmp_path / "never-read.pth", report=tmp_path / "file" / "report")


def test_a_page_of_someone_else_is_never_replaced_by_a_report(tmp_path):
    (tmp_path / "index.html").write_text("<title>My garden</title>")
    with pytest.raises(StorageError, match=r"index.html is not an earlier report and would be replaced; name another"):
        evaluate.run(tmp_path / "never-read.pth", report=tmp_path)
    assert (tmp_path / "index.html").read_text() == "<title>My garden</title>"


def test_a_dataset_without_test_sketches_is_an_error(tiny_config, tmp_path):
    config = load_config(tiny_config, ["train.epochs=1", "data.test_fraction=0.01"])
    train.run(config, tmp_path / "run")
    with pytest.raises(DataError, match=r"has 0 photos and 0 sketches; use a larger dataset or data.test_fraction"):
        evaluate.run(tmp_path / "run" / "best.pth")


def test_further_sources_of_the_training_are_evaluated_while_they_are_there(trained, dataset, tmp_path, logged):
    checkpoint = load_checkpoint(trained / "tiny" / "best.pth")
    paths = {"sketches": (str(dataset), "/gone"), "photos": (str(dataset),)}
    data = checkpoint.config.data.model_copy(update=paths)
    config = checkpoint.config.model_copy(update={"data": data})
    save_checkpoint(tmp_path / "more.pth", replace(checkpoint, config=config))
    found = evaluate.run(tmp_path / "more.pth", report=tmp_path / "report")
    sketches, photos = found.further
    assert sketches.protocol["source"] == f"sketches of {dataset.name}"
    assert photos.protocol["source"] == f"photos of {dataset.name}"
    assert photos.metrics["map_all"] == pytest.approx(found.metrics["map_all"])  # the same photos are held out
    assert any("no further sketches at /gone any more" in line for line in logged.messages)
    assert "Further sources" in (tmp_path / "report" / "index.html").read_text()
    assert evaluate.run(tmp_path / "more.pth", protocol="instance").further == ()


TWO = ("saw", "tree")


def slow_zero_shot(checkpoint):
    """mAP@all and P@100 of all sketches against all photos of saws and trees, query by query."""
    loaded = load_checkpoint(checkpoint)
    data = load_dataset(loaded.config)
    model = load_model(checkpoint, "cpu")
    photos, sketches = (
        [
            (r.category, torch.from_numpy(model.embed(read(row), r.kind)[0]))
            for row, r in enumerate(records)
            if r.category in TWO
        ]
        for records, read in (
            (data.pack.photo_records, data.photo_file),
            (data.pack.sketch_records, data.sketch_file),
        )
    )
    averages, hits = [], []
    for own, sketch in sketches:
        by_distance = sorted((float((photo - sketch).norm()), category) for category, photo in photos)
        ranked = [category == own for _, category in by_distance]
        found = [sum(ranked[:rank]) / rank for rank, right in enumerate(ranked, 1) if right]
        averages.append(sum(found) / len(found))
        hits.append(sum(ranked[:100]) / 100)
    return sum(averages) / len(averages), sum(hits) / len(hits)


def test_zero_shot_evaluates_all_that_was_left_out_of_training(zero_shot_checkpoint, logged):
    found = evaluate.run(zero_shot_checkpoint, protocol="zero-shot-21")
    assert (found.protocol["queries"], found.protocol["gallery"], found.protocol["categories"]) == (40, 20, 2)
    average, hits = slow_zero_shot(zero_shot_checkpoint)
    assert found.metrics["map_all"] == pytest.approx(average, abs=0.01)  # near ties may fall either way
    assert found.metrics["map_at_200_strict"] == pytest.approx(found.metrics["map_all"])  # 20 photos are all there are
    assert found.metrics["p_at_100"] == pytest.approx(hits)
    assert found.metrics.keys() == found.chance.keys()
    assert found.per_category.keys() == set(TWO)
    assert "zero-shot-21: the dataset has 2 of its 21 categories; they are not trained on" in logged.messages


def test_the_test_split_of_a_zero_shot_run_is_of_the_other_categories(zero_shot_checkpoint):
    assert evaluate.run(zero_shot_checkpoint).per_category.keys() == {"bar", "cross"}


@pytest.mark.parametrize("protocol", ["zero-shot-25", "zero-shot-21"])
def test_what_was_trained_on_is_not_zero_shot(trained, protocol):
    with pytest.raises(CheckpointError, match=f"not be zero-shot; train with `--set data.zero_shot={protocol}`"):
        evaluate.run(trained / "tiny" / "best.pth", protocol=protocol)


def test_a_run_for_one_zero_shot_protocol_is_none_for_the_other(zero_shot_checkpoint):
    with pytest.raises(CheckpointError, match=r"train with `--set data\.zero_shot=zero-shot-25`"):
        evaluate.run(zero_shot_checkpoint, protocol="zero-shot-25")


def test_a_zero_shot_page_shows_its_metrics(zero_shot_checkpoint, tmp_path):
    evaluate.run(zero_shot_checkpoint, protocol="zero-shot-21", report=tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "mAP@200" in page
    assert "strict form" in page


def test_an_extended_gallery_adds_new_photos_and_tells_what_it_left_out(zero_shot_checkpoint, tmp_path, logged):
    (tmp_path / "more" / "saw").mkdir(parents=True)
    Image.new("RGB", (48, 48), "red").save(tmp_path / "more" / "saw" / "ext_1.jpg")
    Image.new("RGB", (48, 48), "blue").save(tmp_path / "more" / "saw" / "p3.jpg")
    (tmp_path / "more" / "saw" / "broken.jpg").touch()
    (tmp_path / "more" / "saw" / "a.psd").touch()
    found = evaluate.run(zero_shot_checkpoint, protocol="zero-shot-21", extended=tmp_path / "more")
    assert found.protocol["gallery"] == 21
    assert f"{tmp_path}/more: 1 additional photos; 1 copies left out" in logged.messages
    assert "left out: 1 .psd" in logged.messages
    assert f"skipped 1 of its files, the first: {tmp_path}/more/saw/broken.jpg: empty file" in logged.messages


def test_an_extension_that_is_not_there_is_told_before_the_work(tmp_path):
    with pytest.raises(GalleryError, match="no such folder of photos"):
        evaluate.run(tmp_path / "never-read.pth", protocol="zero-shot-21", extended=tmp_path / "nowhere")
