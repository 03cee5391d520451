"""What a user types, and what comes back on which stream with which exit code."""

import json
import logging
import os
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from sketchy import __version__
from sketchy.cli import app
from sketchy.cli.console import RESET, WHITE_ON_BLACK, show_links, show_messages
from sketchy.commands import data_demo
from sketchy.errors import Interrupted


def type_in(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def sketch(dataset):
    return next((dataset / "256x256" / "sketch").rglob("*.png"))


def test_from_data_to_a_retrieval_that_beats_chance(tiny_config, sketch, dataset):
    """What a new user does, in the current folder and without optional arguments."""
    assert type_in("data", "check", dataset).exit_code == 0
    assert type_in("train", "--config", tiny_config).exit_code == 0
    evaluated = type_in("evaluate", "--json")
    found = json.loads(evaluated.stdout)
    assert found["metrics"]["map_all"] > 1.5 * found["chance"]["map_all"]
    assert "using runs/tiny/best.pth" in evaluated.stderr
    retrieved = type_in("retrieve", sketch, "--k", 3, "--save", "sheet.png", "--json")
    assert len(json.loads(retrieved.stdout)["results"]) == 3
    with Image.open("sheet.png") as sheet:
        assert sheet.size[0] > 160
    assert type_in("embed", sketch, "--kind", "sketch", "--out", "e.npz").exit_code == 0


def test_photos_of_ones_own_are_searched_with_the_bundled_model(trained, sketch, dataset):
    photos = dataset / "256x256" / "photo"
    shown = type_in("retrieve", sketch, "--gallery", photos, "--k", 3, "--json", "--runs", trained)
    assert "using the bundled model" in shown.stderr.splitlines()
    found = json.loads(shown.stdout)
    assert found["checkpoint"].endswith("bundled.zip")
    assert len(found["results"]) == 3
    assert all(0 <= hit["score"] <= 1 for hit in found["results"])


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("evaluate", "there is no run under runs; train one, or name a model with --checkpoint"),
        ("retrieve s.png", "there is no run under runs; give --gallery FOLDER to search your own photos"),
        ("serve", "there is no run under runs; give --gallery FOLDER to search your own photos"),
        ("evaluate -c bundled", "the model comes without its dataset; give its path with --data PATH"),
        ("retrieve s.png -c bundled", "the model comes without its dataset; give --gallery FOLDER to search your own"),
        ("retrieve s.png -c bundeld --gallery .", "no run called bundeld under runs; did you mean bundled?"),
    ],
)
def test_where_neither_a_run_nor_photos_are_given_the_error_says_what_to_give(command, error, tmp_path, sketch):
    (tmp_path / "s.png").write_bytes(sketch.read_bytes())
    shown = type_in(*command.split())
    assert shown.exit_code == 1
    assert f"error: {error}" in shown.stderr
    assert "data/sketchy" not in shown.stderr


def test_runs_are_compared(trained):
    assert type_in("runs", "--runs", trained).stdout.splitlines()[2].startswith("tiny  yes       8 of 8")
    (tiny,) = json.loads(type_in("runs", "tiny", "--runs", trained, "--json").stdout)["runs"]
    assert (tiny["name"], tiny["finished"], tiny["settings"]) == ("tiny", True, {})
    refused = type_in("runs", "tony", "--runs", trained)
    assert (refused.exit_code, refused.stderr) == (1, f"error: no run called tony under {trained}; known are tiny\n")


def test_configs_are_listed_and_printed():
    table = type_in("configs").stdout
    assert "recommended               5.9 M weights" in table
    assert max(map(len, table.splitlines())) <= 80
    listed = json.loads(type_in("configs", "--json").stdout)["configs"]
    assert len(table.splitlines()) == len(listed) + 2
    assert {"name", "network", "time", "quality"} == set(listed[0])
    assert "backbone: efficientnet_lite2" in type_in("configs", "recommended").stdout
    assert json.loads(type_in("configs", "default", "--json").stdout)["train"]["epochs"] == 200
    assert type_in("configs", "defualt").exit_code == 2


def test_a_long_training_says_what_to_use_instead_and_no_dataset_is_named_that_was_not_given():
    shown = type_in("train", "--config", "default")
    assert shown.exit_code == 1
    first, last = shown.stderr.splitlines()
    assert first == "200 epochs may take many hours; `--config recommended` has far fewer and finds far more"
    assert last.startswith("error: no dataset is given; name yours with --set data.root=PATH")
    assert "epochs may take" not in type_in("train", "--config", "recommended").stderr


def test_stdout_holds_results_only(trained, sketch):
    shown = type_in("retrieve", sketch, "--runs", trained, "--paths-only", "--k", 2)
    lines = shown.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.endswith(".jpg") for line in lines)
    assert "searched" in shown.stderr


def test_the_table_of_a_dataset_has_totals(dataset):
    shown = type_in("data", "check", dataset)
    assert ["total", "40", "80"] in [line.split() for line in shown.stdout.splitlines()]


def test_the_json_of_a_dataset_has_counts(dataset):
    found = json.loads(type_in("data", "check", dataset, "--json").stdout)
    assert {"category": "bar", "photos": 10, "sketches": 20} in found["counts"]


def test_more_photos_than_there_are_gives_all_and_says_so(trained, sketch):
    shown = type_in("retrieve", sketch, "--runs", trained, "--k", 1000, "--json")
    assert len(json.loads(shown.stdout)["results"]) == 8
    assert "the gallery has fewer than k = 1000 photos; all of them are listed" in shown.stderr


def test_a_run_folder_is_taken_as_a_checkpoint(trained, sketch):
    assert type_in("retrieve", sketch, "--checkpoint", trained / "tiny").exit_code == 0


USAGE_ERRORS = [
    (["retrieve", "s.png", "--k", "0"], "greater than or equal to 1"),
    (["retrieve"], "give a drawing, --text or --like"),
    (["retrieve", "--unlike", "a.jpg"], "give a drawing, --text or --like"),
    (["retrieve", "--text", ""], "it is empty"),
    (["retrieve", "--like", ""], "an empty name"),
    (["retrieve", "s.png", "--kind", "painting"], "'auto', 'photo', 'sketch'"),
    (["retrieve", "s.png", "--category", ""], "it is empty"),
    (["retrieve", "s.png", "--path-glob", ""], "an empty name"),
    (["index", "photos", "--out", "i", "--exclude", ""], "an empty name"),
    (["retrieve", "s.png", "--json", "--paths-only"], "either --json or --paths-only"),
    (["retrieve", "s.png", "--copy-to", "a", "--link-to", "b"], "either --copy-to or --link-to"),
    (["train"], "give either --config NAME_OR_FILE or --resume RUN"),
    (["train", "--config", "a.yaml", "--resume", "b"], "give either --config NAME_OR_FILE or --resume RUN"),
    (["train", "--config", "missing.yaml"], "cannot read missing.yaml: no such file; check the path"),
    (["train", "--config", "bad.yaml"], "3 problems in bad.yaml"),
    (["train", "--config", "list.yaml"], "has no `section:` lines"),
    (["train", "--config", "broken.yaml"], "cannot use the config broken.yaml, line 1: "),
    (["train", "--config", "good.yaml", "--set", "train.epochs"], "write it as section.key=value"),
    (["train", "--config", "good.yaml", "--set", "loss.name=hinge"], "'contrastive', 'triplet', 'infonce'"),
    (["train", "--config", "good.yaml", "--set", "model.backbone=vgg99"], "'vgg16'"),
    (["evaluate", "--protocol", "none"], "'all', 'category', 'instance'"),
    (["evaluate", "--extended", "full"], "--extended needs --protocol zero-shot-25 or zero-shot-21"),
    (["evaluate", "--protocol", "zero-shot-25", "--extended", "full", "--report", "r"], "either --extended DIR or"),
    (["embed", "a.png", "--kind", "painting", "--out", "o.npz"], "'photo', 'sketch'"),
    (["embed", "a.png", "--kind", "photo", "--out", "a.png"], "a.png does not end in .npz"),
    (["retrieve", "s.png", "--save", "sheet.pdf"], "sheet.pdf does not end in .png or .jpg or .jpeg"),
    (["no-such-command"], "No such command"),
]

ERRORS = [
    (["train", "--config", "good.yaml", "--set", "data.root=nowhere"], "nowhere"),
    (["train", "--resume", "empty"], "nothing to resume: no empty/last.pth; name the folder of a run"),
    (["train", "--resume", "nowhere"], "nothing to resume"),
    (
        ["train", "--config", "good.yaml", "--set", "data.root=d", "--runs", "full/file"],
        "full/file is a file; choose a place",
    ),
    (["evaluate", "--checkpoint", "nowhere.pth"], "no such checkpoint: nowhere.pth"),
    (["evaluate", "--checkpoint", "empty"], "no such checkpoint: empty/best.pth"),
    (["evaluate", "--checkpoint", "n" * 300], "File name too long; choose a shorter name"),
    (["evaluate", "--checkpoint", "newer.pth", "--report", "full/file"], "full/file is a file; choose a place"),
    (["evaluate", "-c", "seen.pth", "--protocol", "zero-shot-25"], "train with `--set data.zero_shot=zero-shot-25`"),
    (["evaluate", "-c", "seen.pth", "--protocol", "zero-shot-21", "--extended", "nowhere"], "no such folder of photos"),
    (["embed", "full", "--kind", "photo", "--out", "full/file/o.npz", "-c", "newer.pth"], "full/file is a file"),
    (["retrieve", "s.png", "--save", "full/file/s.png", "-c", "newer.pth"], "full/file is a file; choose a place"),
    (["retrieve", "--text", "cat", "-c", "seen.pth"], "this model knows nothing by name; draw, or use the bundled"),
    (["evaluate", "--checkpoint", "truncated.pth"], "cannot be read"),
    (["evaluate", "--checkpoint", "evil.pth"], "was refused"),
    (["evaluate", "--checkpoint", "newer.pth"], "upgrade sketchy"),
    (["data", "check", "nowhere"], "nowhere"),
    (["data", "check", "empty"], "empty"),
    (["data", "fetch", "--out", "d", "--from", "nowhere.zip"], "nowhere.zip"),
    (["data", "demo", "full"], "full"),
]


class Evil:
    def __reduce__(self):
        return (open, ("executed", "w"))


@pytest.fixture
def bad_files(tmp_path, trained):
    """Everything that the tables above name, in the current folder."""
    (tmp_path / "good.yaml").write_text("train: {epochs: 1}")
    (tmp_path / "bad.yaml").write_text("train: {epochs: 0, learning_rat: 1}\nmodel: {backbone: resnet19}")
    (tmp_path / "list.yaml").write_text("- a\n- b")
    (tmp_path / "broken.yaml").write_text("train: {")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    whole = (trained / "tiny" / "best.pth").read_bytes()
    (tmp_path / "seen.pth").write_bytes(whole)
    (tmp_path / "truncated.pth").write_bytes(whole[: len(whole) // 2])
    torch.save({"kind": "sketchy-checkpoint", "format": 1, "config": Evil()}, tmp_path / "evil.pth")
    torch.save({"kind": "sketchy-checkpoint", "format": 99}, tmp_path / "newer.pth")


def shortened(value):
    return " ".join(value)[:40] if isinstance(value, list) else ""


@pytest.mark.parametrize(("words", "message"), USAGE_ERRORS, ids=shortened)
@pytest.mark.usefixtures("bad_files")
def test_a_usage_error_is_reported_and_exits_2(words, message):
    shown = type_in(*words)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert shown.stdout == ""


@pytest.mark.parametrize(("words", "message"), ERRORS, ids=shortened)
def test_a_failure_is_one_line_and_exits_1(words, message, bad_files, tmp_path):
    before = sorted(tmp_path.iterdir())
    shown = type_in(*words)
    assert shown.exit_code == 1
    assert shown.stderr.count("\n") == 1
    assert shown.stderr.startswith("error: ")
    assert message in shown.stderr
    assert shown.stdout == ""
    assert not (tmp_path / "executed").exists()
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "runs"] == before


def test_every_mistake_of_a_config_is_named(bad_files):
    told = type_in("train", "--config", "bad.yaml").stderr
    assert "train.epochs: Input should be greater than or equal to 1 (got 0)" in told
    assert "train.learning_rat: unknown key; did you mean learning_rate?" in told
    assert "model.backbone: Input should be 'report_cnn'" in told


def test_help_lists_the_commands_in_the_order_of_use():
    shown = type_in("--help").stdout.partition("Commands:\n")[2]
    listed = [line.split()[0] for line in shown.splitlines() if line.startswith("  ")]
    assert listed == [
        "retrieve",
        "serve",
        "index",
        "embed",
        "info",
        "data",
        "configs",
        "train",
        "evaluate",
        "runs",
        "export",
    ]
    assert "..." not in shown


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sketchy re", "retrieve"),
        ("sketchy data de", "demo"),
        ("sketchy evaluate --protocol zero-shot-25", "zero-shot-25"),
    ],
)
def test_a_shell_completes_commands_and_protocols(typed, offered):
    words = {"_SKETCHY_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    command = [sys.executable, "-m", "sketchy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, **words})
    assert done.stdout.split() == [offered], done.stderr


def test_version():
    assert type_in("--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["retrieve", "s.png", "--k", "0"],
        ["retrieve", "s.png", "--save", "s.pdf"],
        ["retrieve", "s.png", "--checkpoint", "nowhere.pth"],
        ["evaluate", "--checkpoint", "nowhere.pth"],
        ["embed", "s.png", "--kind", "sketch", "--out", "s.npz", "--checkpoint", "nowhere.pth"],
        ["train", "--config", "bad.yaml"],
        ["train", "--resume", "nowhere"],
    ],
    ids=" ".join,
)
def test_help_and_usage_errors_answer_without_torch(words, tmp_path):
    (tmp_path / "bad.yaml").write_text("train: {epochs: 0}")
    code = f"""
import sys
from sketchy.cli import app
try:
    app({words!r})
except SystemExit:
    pass
heavy = {{"torch", "torchvision", "numpy", "PIL", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - started < 10  # a hang, not a benchmark


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (MemoryError(), 1, "error: out of memory; lower the batch"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), 1, "error: out of memory; lower the"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "error: out of memory; lower the"),
        (PermissionError(13, "Permission denied", "secret.jpg"), 1, "error: cannot use secret.jpg: Permission denied;"),
        (OSError(28, "No space left on device"), 1, "error: cannot use the output: No space left on device;"),
        (KeyboardInterrupt(), 130, "stopped"),
        (Interrupted("stopped in epoch 3"), 130, "stopped in epoch 3"),
    ],
)
def test_an_error_of_the_system_is_one_line(error, code, told, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(data_demo, "run", fail)
    shown = type_in("data", "demo", "out")
    assert shown.exit_code == code
    assert shown.stderr.startswith(told)
    assert shown.stderr.count("\n") == 1


def test_a_bug_is_not_hidden(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(data_demo, "run", fail)
    assert isinstance(type_in("data", "demo", "out").exception, RuntimeError)


TRAIN = ("train", "--resume", "nowhere")


@pytest.mark.parametrize(
    ("words", "environment", "lines"),
    [
        (TRAIN, {"WORLD_SIZE": "2", "LOCAL_RANK": "0"}, 1),
        (TRAIN, {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}, 0),
        (TRAIN, {"WORLD_SIZE": "1", "LOCAL_RANK": "1"}, 1),
        (TRAIN, {"WORLD_SIZE": "", "LOCAL_RANK": "1"}, 1),
        (TRAIN, {"WORLD_SIZE": "two", "LOCAL_RANK": "1"}, 1),
        (TRAIN, {"LOCAL_RANK": "1"}, 1),
        (("data", "check", "nowhere"), {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}, 1),
    ],
)
def test_only_one_process_of_torchrun_prints_an_error(words, environment, lines, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown = type_in(*words)
    assert shown.exit_code == 1
    assert shown.stderr.count("\n") == lines


def test_a_run_without_a_best_epoch_uses_its_last(trained, sketch, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pth").write_bytes((trained / "tiny" / "last.pth").read_bytes())
    assert type_in("retrieve", sketch, "--checkpoint", "run", "--k", 1).exit_code == 0


def test_a_closed_pipe_causes_no_error_message(dataset):
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "sketchy", "data", "check", str(dataset)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, timeout=30, env=buffered)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


def test_undecodable_names_are_printed_byte_for_byte(tmp_path):
    for kind in ("photo", "sketch"):
        folder = tmp_path / kind / os.fsdecode(b"caf\xe9")
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(b"broken")
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # what a locale but C has
    words = [sys.executable, "-m", "sketchy", "data", "check", "."]
    done = subprocess.run(words, capture_output=True, timeout=30, env=strict)
    assert done.returncode == 0, done.stderr
    assert b"\ncaf\xe9 " in done.stdout


def test_the_module_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "sketchy", "--version"], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == __version__


def test_messages_go_to_stderr_from_info_on_and_warnings_say_so(capsys):
    show_messages("retrieve")
    log = logging.getLogger("sketchy.retrieval.open")
    log.debug("too much")
    log.info("searching 5 photos")
    log.warning("the dataset has changed")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "searching 5 photos\nwarning: the dataset has changed\n")


@pytest.mark.parametrize(
    ("command", "rank", "is_shown"), [("index", "1", False), ("index", "0", True), ("info", "1", True)]
)
def test_of_processes_that_work_together_only_the_first_shows_messages(capsys, monkeypatch, command, rank, is_shown):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    show_messages(command)
    logging.getLogger("sketchy").warning("only once")
    assert ("only once" in capsys.readouterr().err) is is_shown


def test_the_qr_code_of_the_link_is_dark_on_light_in_every_terminal(monkeypatch, capsys):
    pytest.importorskip("segno")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    show_links("http://localhost:8000", "http://192.168.1.5:8000/?token=x")
    lines = capsys.readouterr().err.splitlines()[1:]
    assert len(lines) > 10
    assert all(line.startswith(WHITE_ON_BLACK) and line.endswith(RESET) for line in lines)
    assert set("".join(lines).replace(WHITE_ON_BLACK, "").replace(RESET, "")) <= set("█▀▄ ")
