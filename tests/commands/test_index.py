import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sketchy
from sketchy.cli import app
from sketchy.commands import index
from sketchy.errors import GalleryError, Interrupted
from sketchy.image import SUFFIXES
from sketchy.retrieval import missing, watch


@pytest.fixture
def photos(dataset, tmp_path):
    """Twenty photos of two categories."""
    copy = tmp_path / "photo" / "tx_000000000000"
    for category in ("disc", "bar"):
        shutil.copytree(dataset / "256x256" / "photo" / "tx_000000000000" / category, copy / category)
    return copy


@pytest.fixture
def checkpoint(trained):
    return trained / "tiny" / "best.pth"


def type_in(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_from_photos_to_an_index_that_is_searched(photos, trained, dataset, tmp_path):
    first = type_in("index", photos, "--out", "own.index", "--runs", trained)
    assert first.exit_code == 0, first.stderr
    assert first.stdout.startswith("own.index: 20 photos; 20 embedded; ")
    again = type_in("index", photos, "--out", "own.index", "--runs", trained, "--json")
    told = json.loads(again.stdout)
    assert (told["photos"], told["embedded"], told["unchanged"], told["skipped"]) == (20, 0, 20, [])
    sketch = dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png"
    found = type_in("retrieve", sketch, "--gallery", "own.index", "--runs", trained, "--json", "--save", "sheet.png")
    hits = json.loads(found.stdout)["results"]
    assert len(hits) == 10
    assert all(os.path.exists(hit["path"]) and hit["path"] in hit["paths"] for hit in hits)  # noqa: PTH110
    described = json.loads(type_in("info", "own.index", "--verify", "--json").stdout)
    assert (described["kind"], described["format"]) == ("index", 2)
    assert (described["photos"], described["pictures"], described["categories"]) == (20, 20, 2)
    assert described["health"] == {"verified": True, "problems": []}
    assert described["size"] > 20 * 16 * 4


def test_a_dry_run_makes_nothing(photos, checkpoint, tmp_path):
    told = index.run([photos], str(tmp_path / "own.index"), checkpoint, dry_run=True)
    assert (told.dry_run, told.photos, told.embedded) == (True, 0, 20)
    assert not (tmp_path / "own.index").exists()
    index.run([photos], str(tmp_path / "own.index"), checkpoint)
    (photos / "disc" / "p1.jpg").unlink()
    told = index.run([photos], str(tmp_path / "own.index"), checkpoint, dry_run=True)
    assert (told.photos, told.removed, told.unchanged) == (20, 1, 19)


def test_skipped_files_are_counted_and_named_when_asked(photos, trained):
    for number in range(7):
        (photos / f"broken{number}.jpg").write_bytes(b"no image")
    short = type_in("index", photos, "--out", "own.index", "--runs", trained)
    assert "7 skipped" in short.stdout
    assert short.stderr.count("skipping ") == 5
    assert "skipped 7 files in all; -v lists them\n" in short.stderr
    assert type_in("index", photos, "--out", "own.index", "--runs", trained, "-v").stderr.count("skipping ") == 7


def test_raw_files_that_are_left_out_are_told_with_the_extra_that_reads_them(photos, trained, dataset, monkeypatch):
    monkeypatch.setattr("sketchy.retrieval.scan.photo_suffixes", lambda: SUFFIXES)  # as without the extra
    (photos / "a.DNG").write_bytes(b"x")
    made = type_in("index", photos, "--out", "own.index", "--runs", trained)
    assert "left out: 1 .dng\n" in made.stdout
    remedy = "`pip install 'sketchy-search[raw]'` reads the previews of raw files"
    assert remedy in made.stderr
    sketch = dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png"
    best = trained / "tiny" / "best.pth"
    assert remedy in type_in("retrieve", sketch, "--gallery", photos, "--checkpoint", best).stderr


def test_what_is_left_out_is_counted_in_text_and_json_and_named_when_asked(photos, trained, dataset):
    sketch = dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png"
    for name in ("a.PSD", "b.psd", "c.pdf", "#recycle/d.jpg"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(b"x")
    words = ("index", photos, "--out", "own.index", "--runs", trained)
    assert "left out: 2 .psd, 1 .pdf, 1 in #recycle\n" in type_in(*words).stdout
    assert "left out: 2 .psd, 1 .pdf, 1 in #recycle\n" in type_in(*words, "--dry-run").stdout
    assert json.loads(type_in(*words, "--json").stdout)["left_out"] == {".psd": 2, ".pdf": 1, "in #recycle": 1}
    named = type_in(*words, "-v").stderr
    assert f"leaving out {photos}/a.PSD: .psd\n" in named
    assert f"leaving out {photos}/#recycle/d.jpg: in #recycle\n" in named
    searched = type_in("retrieve", sketch, "--gallery", photos, "--exclude", "x", "--runs", trained, "--json")
    assert json.loads(searched.stdout)["left_out"] == {".psd": 2, ".pdf": 1, "in #recycle": 1}
    assert "left out: 2 .psd, 1 .pdf, 1 in #recycle; -v lists them\n" in searched.stderr
    excluded = type_in(*words, "--exclude", "disc", "--exclude", "*.pdf", "--json")
    assert json.loads(excluded.stdout)["left_out"] == {".psd": 2, "excluded": 11, "in #recycle": 1}
    assert "--exclude" not in excluded.stderr
    for more in ((), ("--dry-run",)):
        assert (
            "no photo matches --exclude 'Trash', 'x'; "
            in type_in(*words, "--exclude", "Trash", "--exclude", "x", *more).stderr
        )


def test_a_drive_that_is_away_empties_no_index(photos, trained, tmp_path):
    words = ("index", photos, "--out", "own.index", "--runs", trained)
    assert type_in(*words).exit_code == 0
    photos.rename(tmp_path / "away")
    photos.mkdir()
    for _ in range(2):  # an empty mount point, then none
        shown = type_in(*words)
        assert shown.exit_code == 1
        assert "kept 20 photos of" in shown.stderr
        assert shown.stderr.count("error: ") == 1
        if photos.exists():
            photos.rmdir()
    both = type_in("index", photos, tmp_path / "away" / "disc", "--out", "own.index", "--runs", trained)
    assert both.exit_code == 0
    assert f"kept 10 photos of {photos}, which is missing now" in both.stdout
    dropped = type_in(*words, "--drop-missing")
    assert (dropped.exit_code, "10 gone" in dropped.stdout) == (0, True)


def test_names_that_are_no_utf8_come_out_as_valid_json_and_as_their_bytes(photos, trained, dataset):
    odd = os.fsencode(photos) + b"/caf\xe9.jpg"
    os.rename(photos / "disc" / "p1.jpg", odd)  # noqa: PTH104 - bytes
    (photos / "broken\udcff.jpg").write_bytes(b"no image")
    indexed = type_in("index", photos, "--out", "own.index", "--runs", trained, "--json")
    assert json.loads(indexed.stdout)["skipped"][0]["path"] == f"{photos}/broken\udcff.jpg"
    query = next((photos / "disc").glob("*.jpg"))
    words = ["retrieve", query, "--gallery", "own.index", "--runs", trained, "--k", "20"]
    command = [sys.executable, "-m", "sketchy", *words]  # the real one: a test's stdout is not that of a terminal
    environment = {**os.environ, "PYTHONPATH": str(Path(sketchy.__file__).parents[1])}
    found = subprocess.run([*command, "--json"], capture_output=True, check=True, env=environment).stdout
    assert os.fsdecode(odd) in [hit["path"] for hit in json.loads(found.decode("utf-8"))["results"]]
    found = subprocess.run([*command, "--paths-only"], capture_output=True, check=True, env=environment).stdout
    assert odd in found.split(b"\n")


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(photos, checkpoint, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SKETCHY_CACHE", str(tmp_path / "file" / "cache"))
    assert index.run([photos], str(tmp_path / "own.index"), checkpoint).photos == 20


def test_ctrl_c_keeps_what_was_committed_and_says_how_to_go_on(photos, checkpoint, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(missing.Pruning, "drop_gone", stop)
    with pytest.raises(Interrupted, match=r"stopped; 20 photos are in .*; run the command again"):
        index.run([photos], str(tmp_path / "own.index"), checkpoint)


def test_an_index_of_another_model_is_refused_and_force_makes_it_anew(photos, trained, checkpoint, tmp_path):
    index.run([photos], str(tmp_path / "own.index"), checkpoint)
    with pytest.raises(GalleryError, match="another model"):
        index.run([photos], str(tmp_path / "own.index"), _other_model(checkpoint, tmp_path))
    made = index.run([photos], str(tmp_path / "own.index"), _other_model(checkpoint, tmp_path), force=True)
    assert made.embedded == 20


def _other_model(checkpoint, tmp_path):
    import torch

    content = torch.load(checkpoint, weights_only=True)
    content["weights"]["head.bias"] += 1
    torch.save(content, tmp_path / "other.pth")
    return tmp_path / "other.pth"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["index", "nowhere", "--out", "i"], "no such folder of photos"),
        (["index", "empty", "--out", "i"], "no images below empty"),
        (["index", "broken", "--out", "i"], "no image below broken can be read"),
        (["index", "broken", "--out", "full"], "full holds other files and is not an index"),
        (["index", "broken", "--out", "full", "--force"], "full holds other files and is not an index"),
        (["index", "phone", "--out", "i"], "no images below phone; left out: 1 .psd; export them as JPEG first"),
        (["info", "nowhere"], "nowhere is not an index, and no run called nowhere under runs; known are bundled"),
        (["info", "full/letters.txt"], "letters.txt"),
        (["info", "empty"], "empty is not an index, a checkpoint or a run"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_what_cannot_be_indexed_or_described_is_one_line(words, message, trained, tmp_path):
    for name in ("empty", "broken", "full", "phone"):
        (tmp_path / name).mkdir()
    (tmp_path / "phone" / "a.psd").write_bytes(b"x")
    (tmp_path / "broken" / "a.jpg").write_bytes(b"x")
    (tmp_path / "full" / "letters.txt").write_text("dear")
    shown = type_in(*words, *(["--checkpoint", trained / "tiny"] if words[0] == "index" else []))
    assert shown.exit_code == 1
    assert shown.stderr.startswith("error: ")
    assert shown.stderr.count("\n") == 1
    assert message in shown.stderr
    assert shown.stdout == ""


@pytest.fixture
def watching(photos, checkpoint, tmp_path):
    """A process of `sketchy index --watch`, and its lines."""
    words = [
        sys.executable,
        "-m",
        "sketchy",
        "index",
        photos,
        "--out",
        "own.index",
        "--checkpoint",
        checkpoint,
        "--watch",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def test_a_watched_folder_is_indexed_again_and_ctrl_c_ends_tidily(watching, photos):
    assert watching.stdout.readline().startswith("own.index: 20 photos; 20 embedded; ")
    (photos / "disc" / "p1.jpg").unlink()
    assert "19 photos" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert told.splitlines()[-1] == "stopped; 19 photos are in own.index"
    assert "Traceback" not in told


def test_a_watched_folder_that_is_missing_is_an_error_at_the_start(checkpoint, tmp_path):
    with pytest.raises(GalleryError, match="no such folder of photos"):
        index.follow([tmp_path / "none"], "own.index", checkpoint, print)


def test_an_error_of_a_later_update_is_logged_once_and_the_watch_goes_on(
    photos, checkpoint, tmp_path, monkeypatch, logged
):
    told = []

    def rounds(sources, ignored, stop):
        yield
        photos.rename(tmp_path / "away")
        yield
        yield
        (tmp_path / "away").rename(photos)
        (photos / "disc" / "p1.jpg").unlink()
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "rounds", rounds)
    with pytest.raises(Interrupted, match=r"^stopped; 19 photos are in own.index$"):
        index.follow([photos], "own.index", checkpoint, told.append)
    assert [made.photos for made in told] == [20, 19]
    assert len([message for message in logged.messages if "kept 20 photos" in message]) == 1


def test_watch_and_dry_run_exclude_each_other(photos):
    shown = type_in("index", photos, "--out", "own.index", "--watch", "--dry-run")
    assert shown.exit_code == 2
