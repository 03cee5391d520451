"""`sketchy data demo`."""

import json

from typer.testing import CliRunner

from sketchy.cli import app
from sketchy.commands import data_demo


def type_in(*words):
    return CliRunner().invoke(app, ["data", "demo", *map(str, words)])


def test_the_result_counts_the_images(tmp_path):
    made = data_demo.run(tmp_path / "demo", photos=1, sketches=2, categories=1, seed=0)
    assert (made.photos, made.sketches, made.categories) == (1, 2, 1)


def test_json_is_alone_on_stdout(tmp_path):
    shown = type_in("demo", "--photos", 1, "--sketches", 1, "--categories", 2, "--seed", 5, "--json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == {"path": "demo", "photos": 2, "sketches": 2, "categories": 2}
    assert len([*(tmp_path / "demo").rglob("*.jpg")]) == 2


def test_too_many_categories_are_a_usage_error(tmp_path):
    shown = type_in("demo", "--categories", 99)
    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: cannot draw 99 categories")
    assert shown.stderr.count("\n") == 1
    assert not (tmp_path / "demo").exists()


def test_a_folder_that_is_not_empty_is_refused_in_one_line(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "file").touch()
    shown = type_in("demo")
    assert shown.exit_code == 1
    assert (
        shown.stderr
        == "error: cannot draw into a file, or a folder that is not empty; demo; name a new or empty folder\n"
    )
