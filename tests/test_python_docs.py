"""The examples of docs/python.md run."""

import re
from pathlib import Path

import pytest

from sketchy.demo import draw_pair

BLOCKS = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.fixture
def place(tmp_path, dataset):
    """What the page says that the current folder holds."""
    for category in ("cup", "fish", "hat"):
        (tmp_path / "photos" / category).mkdir(parents=True)
        for number in (1, 2):
            photo, (sketch,) = draw_pair(category, number)
            photo.save(tmp_path / "photos" / category / f"{number}.jpg")
            if (category, number) == ("hat", 1):
                sketch.save(tmp_path / "drawing.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo").symlink_to(dataset)
    return tmp_path


def test_the_examples_run_in_order(place, capsys, monkeypatch):
    monkeypatch.setenv("SKETCHY_CACHE", str(place / "cache"))
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["hit"].path.startswith(str(place / "photos"))
    assert {Path(hit.path).parent.name for hit in names["hats"]} == {"hat"}
    assert names["alike"][0].path != names["near"][0].path
    assert len(names["photos"]) == 6
    printed = capsys.readouterr().out
    assert "6 photos, left out: {}" in printed
    assert "0 new, 0 gone" in printed
    assert "no such folder of photos: nowhere" in printed


def test_there_are_examples_to_run():
    assert len(BLOCKS) >= 6
