"""Every command with every kind of stream, encoding, environment, name and interrupt: it never ends in a traceback.

The commands are taken from the app: one that is new fails here until it has its line in VALID.
"""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import unicodedata
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
import typer

from sketchy.cli import app
from sketchy.commands import index

UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def all_commands() -> dict[str, typer.core.TyperCommand]:
    """Return the commands of the app by the words that start them."""
    found = {}
    waiting = [("", typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        if hasattr(command, "commands"):
            waiting += [(f"{words} {name}".strip(), below) for name, below in command.commands.items()]
        else:
            found[words] = command
    return found


COMMANDS = all_commands()

# What each command does something with, in the folder that `world` makes.
VALID = {
    "data check": ["small"],
    "data fetch": ["--from", "small.zip", "--out", "fetched"],
    "data demo": ["drawn", "--photos", "1", "--sketches", "1", "--categories", "1"],
    "configs": ["tiny.yaml"],
    "train": ["--config", "tiny.yaml", "--set", "data.root=nowhere"],
    "evaluate": ["-c", "model.pth"],
    "export": ["--out", "m.zip", "-c", "nowhere.pth"],
    "embed": ["s.png", "--kind", "sketch", "--out", "e.npz", "-c", "model.pth"],
    "index": ["photos", "--out", "made.index", "-c", "model.pth"],
    "info": ["photos.index"],
    "runs": ["--runs", "runs"],
    "retrieve": ["s.png", "-k", "2", "--gallery", "photos.index", "-c", "model.pth"],
    "serve": ["--gallery", "nowhere", "--port", "0", "-c", "model.pth"],
}
"""`train`, `export` and `serve` fail here, after all was imported: their work takes seconds, or has no end."""


def test_every_command_of_the_app_is_tried():
    assert set(VALID) == set(COMMANDS)


@pytest.fixture(scope="session")
def template(dataset, trained, photos, tiny_config, tmp_path_factory) -> Path:
    """A folder with one of each thing that a command takes."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(trained / "tiny" / "best.pth", folder / "model.pth")
    shutil.copy(tiny_config, folder / "tiny.yaml")
    shutil.copy(next((dataset / "256x256" / "sketch").rglob("*.png")), folder / "s.png")
    for kind, suffix in (("photo", "*.jpg"), ("sketch", "*.png")):
        (folder / "small" / kind / "disc").mkdir(parents=True)
        source = sorted((dataset / "256x256" / kind).rglob(suffix))[0]
        shutil.copy(source, folder / "small" / kind / "disc" / f"p0-1{source.suffix}")
    with zipfile.ZipFile(folder / "small.zip", "w") as archive:
        for file in sorted((folder / "small").rglob("*.*")):
            archive.write(file, file.relative_to(folder / "small"))
    (folder / "photos").mkdir()
    for photo in sorted(photos.rglob("p0.jpg")):
        shutil.copy(photo, folder / "photos" / f"{photo.parent.name}.jpg")
    index.run([folder / "photos"], str(folder / "photos.index"), folder / "model.pth")
    (folder / "runs" / "one").mkdir(parents=True)
    (folder / "runs" / "one" / "config.yaml").write_text("train: {epochs: 3}")
    return folder


@pytest.fixture
def world(template, tmp_path, monkeypatch) -> Path:
    """The template, copied into the current folder, with a cache of its own."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("SKETCHY_CACHE", str(tmp_path / "cache"))
    return tmp_path


def words_of(command: str) -> list[str]:
    return [*command.split(), *VALID[command]]


def check_ended(ended, codes=(0, 1, 2)) -> None:
    """Check that a command ended as commands end."""
    assert "Traceback" not in ended.err, ended.err
    assert ended.code in codes, ended
    assert not UNPRINTABLE.search(ended.err), ended.err


def timeless(out: bytes) -> bytes:
    """Return an output without what a second run must not repeat."""
    # Seconds, and bytes on the disk: another reader of an index may have its files open meanwhile.
    return re.sub(rb"[\d.]+ (s|MB)\b|\"size\": \d+", b"", out)


STREAMS = [
    {"stdout": "closed"},
    {"stderr": "closed"},
    {"stdin": "closed"},
    {"stdin": "closed", "stdout": "closed", "stderr": "closed"},
    {"stdout": "full"},
    {"stderr": "full"},
    {"stdout": "full", "stderr": "full"},
    {"stdout": "full", "stderr": "closed"},
]


@pytest.mark.parametrize("last", ["", "--help", "--no-such-option"])
def test_closed_and_full_streams_neither_stop_a_command_nor_move_a_message(last, world, run_clis):
    lines = [[*command.split(), last] if last else words_of(command) for command in COMMANDS]
    wanted = run_clis(lines)
    for streams in STREAMS:
        remove_made()
        for words, normal, ended in zip(lines, wanted, run_clis(lines, **streams), strict=True):
            check_ended(normal)
            check_ended(ended)
            if streams.get("stdout") == "full" and normal.out:
                assert ended.code == 1, (words, streams)
                assert "stderr" in streams or "error: cannot use the output: No space" in ended.err.splitlines()[-1]
            else:
                assert ended.code == normal.code, (words, streams)
                assert "stdout" in streams or timeless(ended.out) == timeless(normal.out), (words, streams)


def remove_made() -> None:
    """Remove what the words of VALID make."""
    for name in ("fetched", "drawn", "made.index"):
        shutil.rmtree(name, ignore_errors=True)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["data", "--help"], []], ids=" ".join)
@pytest.mark.parametrize("streams", STREAMS, ids=lambda streams: " ".join(map("-".join, streams.items())))
def test_help_and_version_survive_closed_and_full_streams(words, streams, run_cli):
    ended = run_cli(words, **streams)
    check_ended(ended)
    assert (ended.code == 1) is (streams.get("stdout") == "full" and bool(words))


ENCODINGS = ["ascii", "cp1252:strict", "utf-8:strict"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_encoding_of_the_output_ends_in_a_traceback(encoding, world, run_clis):
    name = "\u732b\U0001f431 caf\u00e9 " + os.fsdecode(b"caf\xe9")
    for folder in ("small", "photos", "photos.index"):
        shutil.copytree(folder, f"{name}/{folder}")
    moved = {"nowhere": f"{name}/nowhere", **{word: f"{name}/{word}" for word in os.listdir(name)}}  # noqa: PTH208
    lines = [[moved.get(word, word) for word in words_of(command)] for command in COMMANDS]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for ended in run_clis(lines, environment=environment):
        check_ended(ended, (0, 1))
    remove_made()
    lines = [[*line, "--json"] for line, command in zip(lines, COMMANDS, strict=True) if command != "serve"]
    for ended in run_clis(lines, environment=environment):
        assert not ended.out or json.loads(ended.out.decode(encoding.partition(":")[0]))


ENVIRONMENTS = [
    {},
    {"HOME": ""},
    {"HOME": "~"},
    {"LOCAL_RANK": "1"},
    {"WORLD_SIZE": "two"},
    {"COLUMNS": "x", "LINES": "-1"},
    {"XDG_CACHE_HOME": "~nobody/c"},
    {"SKETCHY_CACHE": "~/c", "HOME": "home"},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_no_environment_ends_in_a_traceback_or_makes_a_folder_of_that_name(environment, world, run_clis):
    for ended in run_clis([words_of(command) for command in COMMANDS], environment=environment):
        check_ended(ended)
        assert ended.code == 0 or "rror: " in ended.err
    assert not Path("~").exists()


NAMES = [
    "plain",
    "two words",
    " leading blank",
    "trailing blank ",
    "'single'",
    '"double"',
    "`tick`",
    "$HOME",
    "a;b",
    "a&b",
    "a|b",
    "a>b",
    "new\nline",
    "\n  indented\nerror: forged",
    "tab\there",
    "carriage\rreturn",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "bell\x07",
    "back\x08space",
    "delete\x7f",
    "c1\u009b31m",
    "\u202eoverridden",
    "\u2066isolated\u2069",
    "\U0001f431\u200d\U0001f464",
    "\u732b",
    unicodedata.normalize("NFC", "caf\u00e9"),
    unicodedata.normalize("NFD", "caf\u00e9"),
    os.fsdecode(b"caf\xe9"),
    os.fsdecode(b"\xff\xfe"),
    os.fsdecode(b"\x9b31m"),
    "n" * 255,
    "n" * 256,
    "~nobody",
    "~",
    "-dash",
    "--json",
    "dot.",
    "..dots",
    "100%",
    "%s%d{0}",
    "*",
    "a?[b]",
    "con",
    "nul.txt",
    "#comment",
    "a: b",
    "/".join(["deep"] * 60),
    "x\\y",
]

WITH_NAME = {
    "data check": "{dir}",
    "data fetch": "--from={dir} --out={new}",
    "data demo": "--photos=1 --sketches=1 --categories=1 -- {new}",
    "configs": "-- {yaml}",
    "train": "--config={yaml} --set=data.root={new} --runs={new}",
    "evaluate": "--checkpoint={file} --data={dir}",
    "export": "--out={new}.zip --checkpoint={file}",
    "embed": "--kind=sketch --out={new}.npz --checkpoint={model} -- {png} {dir}",
    "index": "--out={new} --checkpoint={model} -- {dir}",
    "info": "-- {file}",
    "runs": "--runs={dir} -- {new}",
    "retrieve": "-k1 --paths-only --gallery={dir} --save={new}.png --checkpoint={model} -- {png}",
    "serve": "--gallery={new} --checkpoint={file} --port=0",
}


def test_every_command_is_tried_with_every_name():
    assert set(WITH_NAME) == set(COMMANDS)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[1:30])
def test_every_command_takes_every_name(name, world, run_clis):
    places = {"dir": f"./in/{name}", "file": f"./files/{name}", "png": f"./pngs/{name}", "yaml": f"./yamls/{name}"}
    if len(name) < 256:
        for key, source in {"dir": "photos", "file": "s.png", "png": "s.png", "yaml": "tiny.yaml"}.items():
            Path(places[key]).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if key == "dir" else shutil.copy)(source, places[key])
    lines = []
    for number, (command, pattern) in enumerate(WITH_NAME.items()):
        own = {**places, "new": f"./out{number}/{name}", "model": "model.pth"}
        lines.append([*command.split(), *(word.format(**own) for word in pattern.split())])
    for command, ended in zip(WITH_NAME, run_clis(lines), strict=True):
        check_ended(ended)
        assert ended.code != 2 or command == "train", (command, ended)
        assert len(ended.err.splitlines()) <= 4, (command, ended)
        if command == "retrieve" and len(name) < 200:
            assert ended.code == 0, ended
            assert Path(os.fsdecode(ended.out.removesuffix(b"\n"))).is_file(), ended
    assert not Path("~").exists()


NO_PATHS = {
    *(
        "category",
        "device",
        "host",
        "name",
        "names",
        "photo_rendering",
        "protocol",
        "settings",
        "since",
        "sketch_rendering",
        "text",
        "until",
    ),
}
"""Options that are text but not the path of a file."""


def texts(command: str) -> dict[str, tuple[str, object]]:
    """Return the options and arguments of a command that are text: name on the command line, and parser, by name."""
    found = {}
    for parameter in COMMANDS[command].params:
        described = parameter.type_descriptor
        if any(kind is described.annotation or [kind] == list(get_args(described.annotation)) for kind in (str, Path)):
            found[parameter.name] = (max(parameter.opts, key=len), described.parameter_info.parser)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_with_a_path_expands_the_home_folder(command, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    for name, (_, parser) in texts(command).items():
        if name not in NO_PATHS:
            assert str(parser("~/x")) == "/home/me/x", name
            assert str(parser("~no-such-user/x")) == "~no-such-user/x"
            assert str(parser("./~/x")) != "/home/me/x"


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_option_is_a_usage_error(command, world, run_clis):
    lines = []
    for option, _ in texts(command).values():
        if option.startswith("-"):
            lines.append([*words_of(command), f"{option}="])
        else:
            lines.append([*command.split(), "", *VALID[command][1:]])
    for words, ended in zip(lines, run_clis(lines), strict=True):
        check_ended(ended, (2,))
        assert any(reason in ended.err for reason in ("empty", "no value", "'' is not one of")), (words, ended)


def read_terminal(run, words) -> str:
    """Run a command whose stdout is a terminal; return what it shows."""
    master, slave = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(master, 65536):
                shown.append(data)
        except OSError:  # the other end is closed
            pass

    thread = threading.Thread(target=read)
    thread.start()
    ended = run(words, stdout=os.ttyname(slave))
    os.close(slave)
    thread.join(10)
    os.close(master)
    check_ended(ended, (0,))
    return b"".join(shown).decode()


NASTY = "\x1b[31mred\nline \u202e\u009b" + os.fsdecode(b"\xe9") + ".jpg"
SHOWN = "\\x1b[31mred\\nline \\u202e\\x9b\\xe9.jpg"


@pytest.fixture
def nasty(world) -> list[str]:
    """The words of a search that finds a photo with such a name."""
    Path("g").mkdir()
    shutil.copy("photos/disc.jpg", f"g/{NASTY}")
    return ["retrieve", "s.png", "--gallery", "g", "-c", "model.pth", "-k", "1"]


def test_a_terminal_gets_escapes_and_a_pipe_the_exact_name(nasty, run_cli):
    name = os.fsencode(os.path.abspath(f"g/{NASTY}"))  # noqa: PTH100
    assert run_cli([*nasty, "--paths-only"]).out == name + b"\n"
    assert run_cli([*nasty, "--print0"]).out == run_cli([*nasty, "-0"]).out == name + b"\0"
    assert read_terminal(run_cli, [*nasty, "--paths-only"]).rstrip().endswith(SHOWN)
    assert read_terminal(run_cli, nasty).rstrip().endswith(SHOWN)
    assert run_cli([*nasty, "-0", "--json"]).code == 2


def test_json_holds_the_name_and_no_control_characters(nasty, run_cli):
    ended = run_cli([*nasty, "--json"])
    assert Path(json.loads(ended.out)["results"][0]["path"]).name == NASTY
    assert not UNPRINTABLE.search(ended.out.decode())


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupt_at_every_tenth_of_a_second_ends_cleanly(command, template, tmp_path, run_clis):
    signals = [signal.SIGINT, signal.SIGTERM]
    folders = [shutil.copytree(template, tmp_path / number.name) for number in signals]
    for tenth in range(1, 20):
        running = run_clis([words_of(command)] * len(signals), folders=folders, signals=signals, after=tenth / 10)
        for ended in running:
            check_ended(ended, (0, 1, 130))
            assert ended.code != 130 or ended.err.splitlines()[-1].startswith("stopped"), ended
        assert not [file for file in tmp_path.rglob("*") if file.name.endswith(".part")]
        if 130 not in {ended.code for ended in running}:
            return


START = "import os; os.write(1, b'.'); from sketchy.__main__ import main; main()"

WAIT = """
import os, select, sys
awaited = sys.argv.pop()
class Wait:
    def find_spec(self, name, path=None, target=None):
        if name == awaited:
            try:
                os.write(1, b'.')
                select.select([], [], [], 30)
            except BaseException:
                os.abort()
sys.meta_path.insert(0, Wait())
from sketchy.__main__ import main
main()
"""
"""Waits for a signal where it first looks for the module that the last argument names; exceptions abort, as in C++."""


def interrupted(start: str, *further: str, after: float = 0) -> tuple[int, str]:
    """Start a search with nothing imported, Ctrl-C ignored by the parent as in a script's background job."""
    words = ["-c", start, *words_of("retrieve"), "--gallery", "photos", *further]
    script = 'trap "" INT; exec "$@"'
    with subprocess.Popen(
        ["sh", "-c", script, "sh", sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout.read(1) == b"."
        try:
            started.wait(after)
        except subprocess.TimeoutExpired:
            started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=60)
    return started.returncode, err.decode()


@pytest.mark.usefixtures("world")
def test_an_interrupt_during_imports_ends_cleanly_even_if_it_was_ignored():
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda tenth: interrupted(START, after=tenth / 10), range(1, 13)))
    for code, told in ended:
        assert "Traceback" not in told
        assert code in (0, 130), told  # on a busy machine a search may have ended before its signal
        assert code == 0 or told.splitlines()[-1] == "stopped"


@pytest.mark.usefixtures("world")
def test_an_interrupt_before_each_large_import_stops_a_command_at_once():
    """Unlike an interrupt after a time, none comes too late."""
    with ThreadPoolExecutor(2) as pool:
        for code, told in pool.map(
            lambda name: interrupted(WAIT, name), ["typer", "numpy", "PIL", "torch", "torch._C"]
        ):
            assert (code, told.splitlines()[-1:]) == (130, ["stopped"]), told
