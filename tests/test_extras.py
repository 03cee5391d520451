import sys
import tomllib
from pathlib import Path

import pytest

from sketchy.errors import MissingExtraError
from sketchy.extras import PACKAGES, TORCH, is_installed, require


def test_every_extra_of_the_distribution_is_known_with_all_of_its_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    declared = {extra: len(names) for extra, names in project["optional-dependencies"].items()}
    assert {extra: len(names) for extra, names in PACKAGES.items()} == {
        extra: count for extra, count in declared.items() if extra not in ("dev", "all")
    }
    assert project["name"] == "sketchy-search"  # which the message names


def test_an_installation_for_search_lacks_only_what_needs_torch() -> None:
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    whole = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    listed = [line for line in (root / "requirements-search.txt").read_text().splitlines() if line[0] != "#"]
    left_out = [need.partition(">=")[0] for need in whole if need not in listed]
    assert left_out == list(TORCH)
    assert set(listed) < set(whole)


def test_packages_that_are_there_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "ann", ("json", "zlib"))
    require("ann", "searching")
    assert is_installed("ann")


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (["gdown"], "downloading needs gdown, which is not installed; run `pip install 'sketchy-search[fetch]'` and"),
        (["gdown", "py7zr"], "downloading needs gdown and py7zr, which are not installed; run `pip install 'sketchy-"),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, missing: list[str], words: str
) -> None:
    monkeypatch.setitem(PACKAGES, "fetch", ("json", *missing))
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError) as caught:
        require("fetch", "downloading")
    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith(" and the same command again")
    assert not is_installed("fetch")
