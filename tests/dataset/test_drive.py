import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sketchy.dataset.download import NotThereError
from sketchy.dataset.drive import download_from_drive, drive_id
from sketchy.errors import DataError, MissingExtraError, SketchyError, StorageError
from sketchy.progress import Advance

FILE_ID = "1z4--ToTXYb0-2cLuUWPYM5m7ST7Ob3Ck"


class DownloadError(Exception):
    """As in gdown."""


class FileURLRetrievalError(DownloadError):
    """As in gdown."""


@pytest.fixture
def gdown(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., str]], None]:
    """Put a module in gdown's place whose `download` is the given function."""

    def install(download: Callable[..., str]) -> None:
        fake: Any = ModuleType("gdown")
        fake.__spec__ = ModuleSpec("gdown", None)
        fake.exceptions = ModuleType("gdown.exceptions")
        fake.exceptions.FileURLRetrievalError = FileURLRetrievalError
        fake.download = download
        monkeypatch.setitem(sys.modules, "gdown", fake)

    return install


def failing(error: Exception) -> Callable[..., str]:
    def download(**options: Any) -> str:
        raise error

    return download


def test_gdown_is_asked_quietly_to_resume_and_its_progress_becomes_a_bar(
    gdown: Callable[[Callable[..., str]], None], tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}
    bars: list[tuple[int, list[int]]] = []

    def download(progress: Callable[[int, int | None], None], **options: Any) -> str:
        asked.update(options)
        Path(options["output"]).write_bytes(b"7z")
        for done in (400, 700, 1000):
            progress(done, 1000)
        return str(options["output"])

    @contextmanager
    def heard(label: str, total: int, unit: str) -> Iterator[Advance]:
        bars.append((total, []))
        yield bars[-1][1].append

    gdown(download)
    target = tmp_path / "new" / FILE_ID
    assert download_from_drive(FILE_ID, target, progress=heard) == target
    assert asked["id"] == FILE_ID
    assert asked["resume"] is True
    assert asked["quiet"] is True
    assert asked["timeout"] > 0
    assert bars == [(1000, [400, 300, 300])]


def test_every_option_that_is_used_is_one_of_gdown() -> None:
    gdown = pytest.importorskip("gdown")
    import inspect

    used = {"id", "output", "quiet", "resume", "timeout", "retries", "progress"}
    assert used <= set(inspect.signature(gdown.download).parameters)
    assert issubclass(gdown.exceptions.FileURLRetrievalError, Exception)


def test_without_gdown_the_pip_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(MissingExtraError, match="downloading from Google Drive needs gdown, which is not installed"):
        download_from_drive(FILE_ID, tmp_path / FILE_ID)


def with_answer(error: OSError) -> OSError:
    error.response = "404"  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (FileURLRetrievalError("Failed:\n\n\tToo many users"), NotThereError, "Failed: Too many users; try it in a br"),
        (with_answer(OSError("404 Client Error")), NotThereError, "404 Client Error; try it in a browser"),
        (DownloadError("received 5 bytes"), DataError, "received 5 bytes; run the same command again to continue"),
        (OSError("Connection reset"), DataError, "Connection reset; run the same command again to continue"),
        (KeyError("Content-Type"), DataError, "'Content-Type'; run the same command again"),
        (AssertionError(), DataError, "AssertionError; run the same command again"),
        (OSError(errno.ENOSPC, "No space left on device"), StorageError, "No space left on device; free some space"),
    ],
)
def test_failures_of_gdown_become_one_line(
    gdown: Callable[[Callable[..., str]], None], tmp_path: Path, error: Exception, kind: type[Exception], words: str
) -> None:
    gdown(failing(error))
    with pytest.raises(SketchyError) as caught:
        download_from_drive(FILE_ID, tmp_path / FILE_ID)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_interruption_passes_through(gdown: Callable[[Callable[..., str]], None], tmp_path: Path) -> None:
    def download(**options: Any) -> str:
        raise KeyboardInterrupt

    gdown(download)
    with pytest.raises(KeyboardInterrupt):
        download_from_drive(FILE_ID, tmp_path / FILE_ID)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (f"https://drive.google.com/file/d/{FILE_ID}/view?usp=sharing", FILE_ID),
        (f"https://drive.google.com/open?id={FILE_ID}", FILE_ID),
        (f"https://drive.google.com/uc?export=download&id={FILE_ID}", FILE_ID),
        (f"https://drive.usercontent.google.com/download?id={FILE_ID}&confirm=t", FILE_ID),
        ("https://drive.google.com/drive/my-drive", None),
        (f"https://drive.google.com.evil.example/file/d/{FILE_ID}/view", None),
        (f"https://example.org/file/d/{FILE_ID}/a.7z", None),
        ("http://[::1/d", None),
    ],
)
def test_drive_links_are_known_by_host_and_id(url: str, found: str | None) -> None:
    assert drive_id(url) == found
