"""The scripts that measure run, in their smallest form."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sketchy.config import SpatialConfig
from sketchy.dataset.further import Further
from sketchy.dataset.loader import load_dataset
from sketchy.errors import CheckpointError
from sketchy.progress import no_progress
from sketchy.retrieval import query
from sketchy.retrieval.model import load_model
from sketchy.trainer.complete import validate, with_calibration, with_fitted_head

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scripts read /proc")


def run(*words: object) -> str:
    """What a script writes to stdout."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_benchmark_measures_a_section(tmp_path):
    table = json.loads(run("scripts/bench", "search", "--quick", "--turns", 1, "--data", tmp_path, "--json"))["search"]
    assert table["exact search"]["ours beside it"] == 1
    assert table["matrix product and partial sort"]["a second"] > 0


def test_the_benchmark_counts_threads(dataset, tmp_path):
    rows = json.loads(run("scripts/bench", "threads", "--quick", "--data", dataset, "--json"))["threads"]
    assert len(rows) == 6
    assert all(row["a second"] > 0 and row["threads"] >= 1 for row in rows.values())
    assert rows["embed, one core (affinity)"]["cores used"] < 1.3


def test_the_benchmark_of_a_gpu_runs_without_one(dataset, tmp_path):
    out = tmp_path / "gpu.json"
    printed = run("scripts/bench", "gpu", "--quick", "--turns", 1, "--data", dataset, "--out", out)
    tables = json.loads(out.read_text())
    steps = tables["training steps"]
    for config in ("default", "recommended"):
        assert f"| {config}, plain, float32 |" in printed
        assert steps[f"{config}, plain, float32"]["our epoch, ms a step"] > 0
        assert steps[f"{config}, plain, float32"]["floor by bytes and operations"] > 0
        assert 0 < len(tables[f"the most expensive kernels of {config}"]) <= 10
    assert tables["a notebook's loop on the same device"]["default"]["pairs a second"] > 0
    assert 0 < tables["a whole epoch of the full database"]["default"]["share that is no step"] < 1
    assert tables["embedding photos"]["embedding files"]["a second"] > 0
    assert [name for name in tables if name.startswith("ceilings of ")]
    assert len(tables["ways to compute the first layers of report_cnn"]) == 8
    assert "rows that failed" not in tables


def test_the_stress_test_finds_nothing_lost(tmp_path):
    names = ["kills", "damage", "writers", "readers"]
    lines = run("scripts/stress_test.py", "--quick", *names, "--work", tmp_path).splitlines()
    assert [line.partition(":")[0] for line in lines] == names
    assert not [line for line in lines if "FAILED" in line]
    assert not list(tmp_path.iterdir())


def test_the_index_benchmark_measures_the_store(tmp_path):
    printed = run("scripts/benchmark_index.py", "store", "--rows", 1000, "--work", tmp_path)
    assert "1,000 x 256" in printed
    assert "ratio in turns" in printed


def test_the_index_benchmark_measures_the_approximate_index(tmp_path):
    pytest.importorskip("faiss")
    printed = run("scripts/benchmark_index.py", "ann", "--rows", 1000, "--work", tmp_path)
    assert "256 cells: recall@10 1.0000" in printed


def as_program(script: str, monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    """Run a script within this process, which has imported torch already."""
    monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
    runpy.run_path(str(ROOT / "scripts" / script), run_name="__main__")


def table(printed: str, title: str) -> dict[str, list[float]]:
    """The numbers of a printed table by its first column, from the line on that begins with `title`."""
    lines = printed[printed.index(f"| {title} |") :].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {first: [float(cell.replace(",", "")) for cell in rest] for first, *rest in cells}


def test_the_check_of_sets_finds_things_by_name_and_leaves_out_what_no_photo_shows(
    trained, photos, tmp_path, monkeypatch, capsys
):
    sketches = tmp_path / "sketch"
    shutil.copytree(photos.parents[1] / "sketch" / photos.name, sketches)
    shutil.copytree(sketches / "disc", sketches / "zebra")
    gallery = tmp_path / "photo"
    shutil.copytree(photos, gallery)
    (gallery / "more").mkdir()
    for number, photo in enumerate((gallery / "cross").iterdir()):
        photo.rename(gallery / "more" / f"n{number:08}_cross.jpg")
    as_program("check_sets.py", monkeypatch, trained / "tiny" / "best.pth", "--sketches", sketches, "--photos", gallery)
    printed = capsys.readouterr().out
    assert printed.startswith("80 sketches, 40 photos, 4 names\n")
    [(share, (mean_precision, first, among_ten))] = table(printed, "spatial share").items()
    assert share == "its own"
    assert mean_precision > 0.6  # a random order has 0.28
    assert 0.6 < first <= among_ten <= 1


def test_the_check_of_sets_measures_known_rankings():
    row = runpy.run_path(str(ROOT / "scripts" / "check_sets.py"))["row"]
    distance = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    right = np.array([[True, False, True, False], [True, True, False, False]])
    assert row(distance, right) == pytest.approx(
        {"mAP@all": ((1 + 2 / 3) / 2 + (1 / 3 + 2 / 4) / 2) / 2, "R@1": 0.5, "R@10": 1}
    )


def test_the_check_of_sets_takes_the_photo_of_the_same_name_for_a_pair(trained, photos, tmp_path, monkeypatch, capsys):
    for folder in ("drawn", "seen"):
        (tmp_path / folder).mkdir()
    for category in ("disc", "square", "cross"):
        shutil.copy(photos / category / "p0.jpg", tmp_path / "seen" / f"{category}.jpg")
        sketch = photos.parents[1] / "sketch" / photos.name / category / "p0-1.png"
        shutil.copy(sketch, tmp_path / "drawn" / f"{category}.png")
    folders = ["--sketches", tmp_path / "drawn", "--photos", tmp_path / "seen"]
    as_program("check_sets.py", monkeypatch, trained / "tiny" / "best.pth", *folders, "--pairs")
    printed = capsys.readouterr().out
    assert printed.startswith("3 sketches, 3 photos, 3 names\n")
    assert table(printed, "spatial share")["its own"][2] == 1  # three photos are all among ten


def test_the_check_of_the_score_separates_what_is_there_from_what_is_not(trained, dataset, monkeypatch, capsys):
    as_program("check_score.py", monkeypatch, trained / "tiny" / "best.pth", "--data", dataset)
    printed = capsys.readouterr().out
    told = table(printed, "searched for")
    absent = told["drawings, in a gallery without their category"]
    assert "drawings, in a gallery without their category, found" not in told
    assert told["scribbles, dots and lines"][0] == 200
    model = load_model(trained / "tiny" / "best.pth", "cpu")
    data = load_dataset(model.config, root=dataset)
    part, pack = data.parts["test"], data.pack
    sketches = model.embed_prepared(pack.sketches[part.sketches], len(part.sketches), "sketch")
    photos = model.embed_prepared(pack.photos[part.photos], len(part.photos), "photo")
    distance = np.linalg.norm(sketches[:, np.newaxis] - photos, axis=2)
    distance[pack.sketch_category[part.sketches][:, np.newaxis] == pack.photo_category[part.photos]] = np.inf
    score, count = model.calibration, len(photos)
    nothing_fits = [score.found(least, count) < score.threshold for least in distance.min(1)]
    assert absent == [len(sketches), pytest.approx(np.mean(nothing_fits), abs=6e-4)]
    assert 0 <= float(printed.rpartition(" ")[2]) <= 1


def test_the_check_of_the_score_searches_held_out_photos_by_the_drawings_of_their_categories(
    trained, dataset, photos, tmp_path, monkeypatch, capsys
):
    for category in ("disc", "cross"):
        shutil.copytree(photos / category, tmp_path / category)
    checkpoint = trained / "tiny" / "best.pth"
    as_program("check_score.py", monkeypatch, checkpoint, "--data", dataset, "--held-out", tmp_path)
    printed = capsys.readouterr().out
    data = load_dataset(load_model(checkpoint, "cpu").config, root=dataset)
    drawn = np.array(data.pack.categories)[data.pack.sketch_category[data.parts["test"].sketches]]
    share = load_model(checkpoint, "cpu").config.data.test_fraction
    assert printed.startswith(f"{checkpoint}: {round(10 * share)} photos\n")  # of those held out, every second
    told = table(printed, "searched for")
    assert told["drawings, in a gallery without their category"][0] == np.isin(drawn, ["disc", "cross"]).sum()


def test_the_check_of_the_score_counts_the_hits_of_each_score(capsys):
    show = runpy.run_path(str(ROOT / "scripts" / "check_score.py"))["show_reliability"]
    scores = np.array([[0.75, 0.65, 0.65, 0.65]])
    show([SimpleNamespace(scores=scores, right=np.array([[True, True, False, False]]))])
    printed = capsys.readouterr().out
    assert table(printed, "score") == {"0.650": [pytest.approx(0.333), 3], "0.750": [1, 1]}
    assert printed.endswith(f"expected calibration error {(3 * (0.65 - 1 / 3) + 0.25) / 4:.3f}\n")


def test_the_bundled_model_embeds_as_its_checkpoint_and_names_no_path(trained, dataset, tmp_path, monkeypatch, capsys):
    checkpoint, out = trained / "tiny" / "best.pth", tmp_path / "bundled.zip"
    as_program("bundle_model.py", monkeypatch, checkpoint, "--data", dataset, "--out", out)
    printed = capsys.readouterr().out
    assert f"{out}: " in printed
    assert "val_map_all" in printed
    bundled, model = load_model(out, "cpu"), load_model(checkpoint, "cpu")
    assert bundled.calibration is not None
    assert str(dataset.parent) not in str(bundled.config)
    photo = next((dataset / "256x256" / "photo").rglob("*.jpg"))
    assert bundled.embed(photo, "photo") == pytest.approx(model.embed(photo, "photo"), abs=0.01)  # weights of 16 bit


def test_a_trained_checkpoint_gets_another_spatial_embedding_and_keeps_the_rest(spatial_checkpoint, boxes):
    before = spatial_checkpoint({"block": 3, "grid": 4, "size": 8})
    with_spatial_config = runpy.run_path(str(ROOT / "scripts" / "bundle_model.py"))["with_spatial_config"]
    settings = SpatialConfig(block=3, grid=4, size=16, gradients=2, share=0.3)
    fitted = with_fitted_head(with_spatial_config(before, settings), boxes, torch.device("cpu"), no_progress)
    assert fitted.config.model.embedding_size == 40
    assert fitted.config.model.spatial == settings
    assert float(fitted.weights["head.share"]) == pytest.approx(0.3)
    assert fitted.metrics == {"loss": 1.0} | validate(fitted.encoder(), boxes)
    spatial = {"head.cells.weight", "head.cells.bias", "head.share"}
    assert all(torch.equal(fitted.weights[name], before.weights[name]) for name in before.weights.keys() - spatial)
    assert fitted.fingerprint() != before.fingerprint()
    calibrated = with_calibration(fitted, boxes, Further(("a", "b")), torch.device("cpu"))
    assert calibrated.probes.shape == (4, 40)
    assert len(calibrated.calibration.weights) == 3
    assert 0 < calibrated.calibration.threshold < 1


def test_a_checkpoint_without_a_spatial_embedding_is_refused(spatial_checkpoint):
    with_spatial_config = runpy.run_path(str(ROOT / "scripts" / "bundle_model.py"))["with_spatial_config"]
    with pytest.raises(CheckpointError, match=r"no spatial embedding to fit again; train with model\.spatial"):
        with_spatial_config(spatial_checkpoint(None), SpatialConfig())


def test_no_model_is_bundled_without_the_spatial_embedding_that_is_asked_for(
    trained, dataset, tiny_config, tmp_path, monkeypatch
):
    out = tmp_path / "bundled.zip"
    words = [trained / "tiny" / "best.pth", "--data", dataset, "--refit-spatial", tiny_config, "--out", out]
    with pytest.raises(SystemExit, match=r"has no model\.spatial; name another config"):
        as_program("bundle_model.py", monkeypatch, *words)
    assert not out.exists()


def test_weights_of_examples_are_measured(trained, dataset, monkeypatch, capsys):
    words = [trained / "tiny" / "best.pth", "--data", dataset, "--part", "test", "--examples", "1"]
    for name in ("LIKE", "UNLIKE"):
        monkeypatch.setattr(query, name, getattr(query, name))  # the script sets them
    as_program("choose_weights.py", monkeypatch, *words)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("photos, 1 of each")
    rows = [[float(cell) for cell in line.strip("|").split("|")] for line in lines[4:]]
    assert [row[0] for row in rows] == [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3]
    assert all(0 < cell <= 1 for row in rows for cell in row[1:])
