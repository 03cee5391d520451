"""scripts/quickstart, with programs in the place of `sketchy` and `python` that only note how they were called."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from sketchy.cli import app

SCRIPT = Path(__file__).parents[1] / "scripts" / "quickstart"
SKETCHY = """#!/bin/sh
echo "$*" >> calls
folder=$3/256x256/sketch/tx/butterfly
[ "$1 $2" != "data demo" ] || { mkdir -p "$folder" && : > "$folder/1.png"; }
[ "$1" != train ] || { mkdir -p runs/quickstart && : > runs/quickstart/last.pth; }
"""


@pytest.fixture
def quickstart(tmp_path):
    """A function that runs the script in a folder of its own: its exit code, its stderr and the calls of sketchy."""
    here = tmp_path / "project"
    for name, text in {
        "scripts/install": '#!/bin/sh\necho "$@" > extras\n',
        ".venv/bin/sketchy": SKETCHY,
        ".venv/bin/python": "#!/bin/sh\ncat > /dev/null\n",
    }.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
        (here / name).chmod(0o755)
    shutil.copy(SCRIPT, here / "scripts")

    def run(*words: str) -> tuple[int, str, list[str]]:
        (here / "calls").write_text("")
        script = here / "scripts" / "quickstart"
        done = subprocess.run([script, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr, (here / "calls").read_text().splitlines()

    return run


def parse(line: str) -> str:
    """Parse a command line as sketchy does, which raises if anything in it is unknown; returns the command's name."""
    name, *words = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]
    if hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(name, words)
    return name


def test_it_searches_with_the_bundled_model_before_it_trains_and_evaluates(quickstart):
    code, shown, calls = quickstart()
    assert code == 0, shown
    assert [parse(call) for call in calls] == ["data", "retrieve", "train", "evaluate", "retrieve"]
    assert "--checkpoint" not in calls[1]
    assert "--checkpoint quickstart" in calls[4]


def test_run_again_it_resumes_the_training(quickstart):
    quickstart()
    calls = quickstart()[2]
    assert [parse(call) for call in calls] == ["retrieve", "train", "evaluate", "retrieve"]
    assert calls[1] == "train --resume runs/quickstart"


def test_the_commands_that_it_names_last_exist(quickstart):
    last = quickstart()[1].partition("Then try")[2]
    assert [parse(line) for line in re.findall(r"^  sketchy (.*)$", last, re.MULTILINE)] == ["retrieve", "configs"]
    assert "scripts/quickstart --photos YOUR_PHOTOS" in last


def test_photos_are_opened_on_the_page(quickstart, tmp_path):
    (tmp_path / "my photos").mkdir()
    code, _, calls = quickstart("--photos", "my photos")
    assert (code, calls) == (0, [f"serve --gallery {tmp_path}/my photos --open"])
    assert (tmp_path / "project" / "extras").read_text() == "serve\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--photos"], 2, "error: --photos needs a folder"),
        (["--data", "nowhere"], 1, "error: there is no nowhere; name a folder that exists"),
        (["--help"], 2, "Usage: scripts/quickstart"),
    ],
)
def test_wrong_usage_is_answered_before_anything_is_installed(words, code, message, quickstart, tmp_path):
    ended, shown, calls = quickstart(*words)
    assert (ended, calls) == (code, [])
    assert message in shown
    assert not (tmp_path / "project" / "extras").exists()
