from types import SimpleNamespace

import pytest

from sketchy.results import Skipped
from sketchy.retrieval.unused import log_new_unused, log_unused


@pytest.fixture
def search(tmp_path, logged):
    """A function that reports what a search does not use, of broken files and counts: the lines."""

    def report(*broken: str, **left_out: int) -> list[str]:
        logged.clear()
        skipped = tuple(Skipped(name, "truncated") for name in broken)
        log_new_unused(SimpleNamespace(address=tmp_path / "index", skipped=skipped, left_out=left_out))
        return logged.messages

    return report


def test_the_first_files_are_named_and_all_when_asked(logged):
    skipped = [Skipped(f"{number}.jpg", "truncated") for number in range(7)]
    log_unused(skipped, {".psd": 2})
    named = [f"skipping {number}.jpg: truncated" for number in range(7)]
    assert logged.messages == [
        *named[:5],
        "skipped 7 files in all; -v lists them",
        "left out: 2 .psd; -v lists them",
    ]
    logged.clear()
    log_unused(skipped, {".psd": 2}, every=True)
    assert logged.messages == [*named, "left out: 2 .psd"]


def test_files_are_named_by_the_first_search_and_counted_by_later_ones(search):
    assert search("a.jpg", psd=2) == ["skipping a.jpg: truncated", "left out: 2 psd; -v lists them"]
    for _ in range(2):
        assert search("a.jpg", psd=2) == ["files not searched, as before: 1 skipped, 2 left out; -v lists them"]


def test_only_what_is_new_is_named_again(search):
    search("a.jpg", psd=2)
    assert search("a.jpg", "b.jpg", psd=2) == [
        "skipping b.jpg: truncated",
        "files not searched, as before: 1 skipped, 2 left out; -v lists them",
    ]
    assert search("b.jpg", psd=2000, pdf=1) == [
        "left out: 2,000 psd, 1 pdf; -v lists them",
        "files not searched, as before: 1 skipped; -v lists them",
    ]
    assert search("b.jpg") == ["files not searched, as before: 1 skipped; -v lists them"]


def test_a_file_that_was_repaired_is_named_if_it_breaks_again(search):
    search("a.jpg", "b\udce9.jpg")
    search("b\udce9.jpg")
    assert search("a.jpg", "b\udce9.jpg")[0] == "skipping a.jpg: truncated"


def test_what_cannot_be_noted_is_named_again(search, tmp_path):
    (tmp_path / "index.unused").mkdir()
    named = search("a.jpg")
    assert search("a.jpg") == named == ["skipping a.jpg: truncated"]
