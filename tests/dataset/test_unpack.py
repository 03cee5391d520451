import errno
import io
import shutil
import stat
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sketchy.dataset.unpack import LIMITS, Limits, check_free, unpack
from sketchy.errors import DataError, MissingExtraError, SketchyError, StorageError
from sketchy.progress import Advance

FILES = {
    "256x256/photo/tx_000000000000/cat/n1.jpg": b"photo" * 40_000,
    "256x256/sketch/tx_000000000000/cat/n1-1.png": bytes(range(256)) * 50,
    "256x256/sketch/tx_000000000000/cat/n1-2.png": b"",
    "README.txt": "über".encode(),
}
KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "7z"]


def make(path: Path, files: dict[str, bytes]) -> Path:
    """Write an archive of the kind that the suffix says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif path.suffix == ".7z":
        py7zr = pytest.importorskip("py7zr")
        with py7zr.SevenZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writef(io.BytesIO(content), name)
    else:
        mode: Any = {".tar": "w", ".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
        with tarfile.open(path, mode) as archive:
            for name, content in files.items():
                add(archive, name, content)
    return path


def add(
    archive: tarfile.TarFile, name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    archive.addfile(info, io.BytesIO(content))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "home" / "sketchy"


def assert_refused(archive: Path, out: Path, words: str, limits: Limits = LIMITS) -> None:
    """It is refused in one line, and nothing stays anywhere."""
    before = tree(out.parent.parent)
    with pytest.raises(DataError) as caught:
        unpack(archive, out, limits=limits)
    assert words in str(caught.value)
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tree(out.parent.parent) == before
    assert not out.exists()
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_unpacks_to_the_same_files(tmp_path: Path, out: Path, kind: str) -> None:
    archive = make(tmp_path / f"rendered.{kind}", FILES)
    assert unpack(archive, out) == out
    assert tree(out) == FILES
    assert [path.name for path in out.parent.iterdir()] == ["sketchy"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_told_by_content_and_the_bar_counts_bytes(tmp_path: Path, out: Path, kind: str) -> None:
    archive = make(tmp_path / f"a.{kind}", FILES).rename(tmp_path / "1z4--ToTXYb0")
    bars: list[tuple[int, list[int]]] = []

    @contextmanager
    def progress(label: str, total: int, unit: str) -> Iterator[Advance]:
        assert unit == "B"
        bars.append((total, []))
        yield bars[-1][1].append

    unpack(archive, out, progress=progress)
    size = sum(map(len, FILES.values()))
    assert [(total, sum(steps)) for total, steps in bars] == [(size, size)]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.txt", "'../evil.txt', a path out of the folder"),
        ("a/../../evil.txt", "a path out of the folder"),
        ("a/..", "a path out of the folder"),
        ("..\\evil.txt", "a path out of the folder"),
        ("/tmp/evil.txt", "an absolute path"),
        ("\\\\server\\evil.txt", "an absolute path"),
        ("C:\\evil.txt", "an absolute path"),
        ("c:evil.txt", "an absolute path"),
        (".", "a file without a name"),
    ],
)
def test_a_name_that_leads_out_refuses_the_archive(tmp_path: Path, out: Path, kind: str, name: str, words: str) -> None:
    assert_refused(make(tmp_path / f"evil.{kind}", {**FILES, name: b"evil"}), out, words)


def test_a_name_that_leads_out_refuses_a_7z(tmp_path: Path, out: Path) -> None:
    archive = make(tmp_path / "evil.7z", {**FILES, "ab/evil.txt": b"evil"})
    # The library will not write such a name: put it into the plain header afterwards.
    py7zr = pytest.importorskip("py7zr")
    with py7zr.SevenZipFile(archive, "w") as opened:
        opened.set_encoded_header_mode(False)
        opened.writef(io.BytesIO(b"evil"), "ab/evil.txt")
    content = archive.read_bytes()
    content = content.replace("ab/evil".encode("utf-16-le"), "../evil".encode("utf-16-le"))
    start = 32 + struct.unpack("<Q", content[12:20])[0]
    header = struct.pack("<I", _crc(content[start:]))
    front = content[12:28] + header
    archive.write_bytes(content[:8] + struct.pack("<I", _crc(front)) + front + content[32:])
    assert_refused(archive, out, "'../evil.txt', a path out of the folder")


def _crc(data: bytes) -> int:
    import zlib

    return zlib.crc32(data)


def test_a_nul_in_a_name_refuses_the_archive(tmp_path: Path, out: Path) -> None:
    archive = make(tmp_path / "evil.zip", {"photo_.jpg": b"evil"})
    archive.write_bytes(archive.read_bytes().replace(b"photo_.jpg", b"photo\0.jpg"))
    assert_refused(archive, out, "'photo\\x00.jpg', a name with a NUL in it")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_refuse_a_tar(tmp_path: Path, out: Path, kind: bytes) -> None:
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as opened:
        add(opened, "README.txt", b"fine")
        add(opened, "photo/cat", kind=kind, link="README.txt")
    assert_refused(archive, out, "'photo/cat', a link or a device")


def test_a_link_refuses_a_zip(tmp_path: Path, out: Path) -> None:
    archive = tmp_path / "evil.zip"
    info = zipfile.ZipInfo("photo/cat")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(info, "/etc")
    assert_refused(archive, out, "'photo/cat', a link or a device")


def test_a_link_refuses_a_7z(tmp_path: Path, out: Path) -> None:
    py7zr = pytest.importorskip("py7zr")
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "link").symlink_to("target")
    with py7zr.SevenZipFile(tmp_path / "evil.7z", "w") as opened:
        opened.write(tmp_path / "link", "photo/cat")
    (tmp_path / "link").unlink()
    assert_refused(tmp_path / "evil.7z", out, "'photo/cat', a link or a device")


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, out: Path, kind: str) -> None:
    archive = make(tmp_path / f"bomb.{kind}", {"photo/a.jpg": bytes(3_000_000), "photo/b.jpg": bytes(3_000_000)})
    limits = Limits(harmless=1 << 20, total=4_000_000 if kind == "tar" else 1 << 36)
    assert_refused(archive, out, "would unpack to more than", limits)


def test_a_small_archive_may_hold_blank_images(tmp_path: Path, out: Path) -> None:
    unpack(make(tmp_path / "blank.zip", {"photo/a.bmp": bytes(3_000_000)}), out)
    assert (out / "photo" / "a.bmp").stat().st_size == 3_000_000


def test_lack_of_space_is_known_beforehand(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000))
    with pytest.raises(StorageError, match=r"needs 0\.0 GB where 0\.0 GB are free; make room"):
        unpack(make(tmp_path / "a.zip", FILES), out)
    assert not list(out.parent.iterdir())


def test_a_full_disk_is_not_a_damaged_archive(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make(tmp_path / "a.zip", FILES)
    opening = Path.open

    def open_full(path: Path, mode: str = "r", **kwargs: Any) -> Any:
        if mode == "wb":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opening(path, mode, **kwargs)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(StorageError, match="No space left on device; free some space there and run the command"):
        unpack(archive, out)
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.995])
def test_a_truncated_archive_is_named(tmp_path: Path, out: Path, kind: str, kept: float) -> None:
    noise = {f"photo/{i}.jpg": bytes((i * j * j) % 251 for j in range(3000)) for i in range(1, 12)}
    archive = make(tmp_path / f"cut.{kind}", noise)
    content = archive.read_bytes()
    if kind == "tar":
        content = content.rstrip(b"\0")  # the padding of a plain one is not missed
    archive.write_bytes(content[: int(len(content) * kept)])
    assert_refused(archive, out, "is damaged or cut short")


def test_a_tar_cut_between_two_members_is_named(tmp_path: Path, out: Path) -> None:
    archive = make(tmp_path / "cut.tar", {"photo/a.jpg": b"a" * 512, "photo/b.jpg": b"b" * 512})
    archive.write_bytes(archive.read_bytes()[:1024])
    assert_refused(archive, out, "is damaged or cut short")


def test_a_tar_with_a_broken_header_inside_is_not_taken_for_a_shorter_one(tmp_path: Path, out: Path) -> None:
    archive = make(tmp_path / "broken.tar", {"photo/a.jpg": b"a" * 512, "photo/b.jpg": b"b" * 512})
    content = bytearray(archive.read_bytes())
    content[1024 + 150] ^= 1  # in the checksum of the second header
    archive.write_bytes(content)
    assert_refused(archive, out, "is damaged or cut short")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz", "7z"])
def test_a_flipped_bit_is_found(tmp_path: Path, out: Path, kind: str) -> None:
    noise = bytes((j * j * j + j // 7) % 253 for j in range(40_000))
    archive = make(tmp_path / f"flipped.{kind}", {"photo/a.jpg": noise})
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 16
    archive.write_bytes(content)
    assert_refused(archive, out, "is damaged or cut short")


def test_a_wrong_checksum_at_the_end_of_a_gz_is_found(tmp_path: Path, out: Path) -> None:
    archive = make(tmp_path / "a.tar.gz", FILES)
    content = bytearray(archive.read_bytes())
    content[-6] ^= 1
    archive.write_bytes(content)
    assert_refused(archive, out, "is damaged or cut short")


def test_a_locked_archive_is_named(tmp_path: Path, out: Path) -> None:
    archive = make(tmp_path / "locked.zip", {"a.jpg": b"a"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert_refused(archive, out, "is locked with a password; unpack it yourself")


def test_a_locked_7z_is_named(tmp_path: Path, out: Path) -> None:
    py7zr = pytest.importorskip("py7zr")
    with py7zr.SevenZipFile(tmp_path / "locked.7z", "w", password="secret") as opened:
        opened.writef(io.BytesIO(b"a"), "a.jpg")
    assert_refused(tmp_path / "locked.7z", out, "is locked with a password; unpack it yourself")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an archive that can be unpacked; name a .zip, .tar"),
        (b"Rar!\x1a\x07\x00", "not an archive that can be unpacked"),
        (b"\n<!doctype html><html>", "is a web page; name a .zip"),
        (b"\x1f\x8b no gzip", "is damaged or cut short"),
        (b"PK\x03\x04 no zip", "is damaged or cut short"),
        (b"7z\xbc\xaf\x27\x1c no 7z", "is damaged or cut short"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path: Path, out: Path, content: bytes, words: str) -> None:
    if content.startswith(b"7z"):
        pytest.importorskip("py7zr")
    (tmp_path / "rendered.7z").write_bytes(content)
    assert_refused(tmp_path / "rendered.7z", out, words)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("zip", "holds no files"), ("tar.gz", "holds no files"), ("tar", "holds no files"), ("7z", "holds no files")],
)
def test_an_archive_without_files_is_named(tmp_path: Path, out: Path, kind: str, words: str) -> None:
    assert_refused(make(tmp_path / f"empty.{kind}", {}), out, words)


def test_without_py7zr_the_pip_command_is_named(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rendered.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with pytest.raises(MissingExtraError, match=r"unpacking a \.7z archive needs py7zr, which is not"):
        unpack(tmp_path / "rendered.7z", out)
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("the bar broke")])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, out: Path, error: BaseException) -> None:
    @contextmanager
    def breaking(label: str, total: int, unit: str) -> Iterator[Advance]:
        def advance(done: int) -> None:
            raise error

        yield advance

    with pytest.raises((KeyboardInterrupt, DataError)):
        unpack(make(tmp_path / "a.tar", FILES), out, progress=breaking)
    assert not list(out.parent.iterdir())


def test_what_a_killed_run_left_is_no_dataset_and_does_not_hinder(tmp_path: Path, out: Path) -> None:
    stale = out.with_name(".sketchy.unpacking") / "photo" / "half.jpg"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"half")
    unpack(make(tmp_path / "a.zip", FILES), out)
    assert tree(out.parent) == {f"sketchy/{name}": content for name, content in FILES.items()}


def test_an_empty_folder_is_filled(tmp_path: Path, out: Path) -> None:
    out.mkdir(parents=True)
    unpack(make(tmp_path / "a.zip", FILES), out)
    assert tree(out) == FILES


def test_a_link_to_an_empty_folder_is_followed(tmp_path: Path, out: Path) -> None:
    (tmp_path / "big disk" / "data").mkdir(parents=True)
    out.parent.mkdir()
    out.symlink_to(tmp_path / "big disk" / "data")
    assert unpack(make(tmp_path / "a.zip", FILES), out) == tmp_path / "big disk" / "data"
    assert tree(tmp_path / "big disk" / "data") == FILES
    assert out.is_symlink()


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path: Path, out: Path) -> None:
    out.mkdir(parents=True)
    (out / "mine.txt").write_bytes(b"mine")
    with pytest.raises(DataError, match="sketchy exists and is not empty; name another folder, or delete that one"):
        unpack(make(tmp_path / "a.zip", FILES), out)
    assert tree(out) == {"mine.txt": b"mine"}


def test_a_file_in_the_place_of_the_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "sketchy").write_bytes(b"mine")
    with pytest.raises(DataError, match="exists and is not empty"):
        check_free(tmp_path / "sketchy")


def test_the_working_folder_and_a_disk_are_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"\. itself cannot be replaced; name a new folder in it, such as sketchy"):
        check_free(Path())


def test_a_windows_archive_gives_folders(tmp_path: Path, out: Path) -> None:
    archive = make(tmp_path / "a.zip", {"photo_cat_1.jpg": b"1"})
    archive.write_bytes(archive.read_bytes().replace(b"photo_cat_1.jpg", b"photo\\cat\\1.jpg"))
    unpack(archive, out)
    assert tree(out) == {"photo/cat/1.jpg": b"1"}


def test_folders_and_leading_dots_in_names_are_fine(tmp_path: Path, out: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as opened:
        add(opened, ".", kind=tarfile.DIRTYPE)
        add(opened, "./photo", kind=tarfile.DIRTYPE)
        add(opened, "./photo/..1.jpg", b"1")
    unpack(archive, out)
    assert tree(out) == {"photo/..1.jpg": b"1"}


def test_a_file_and_a_folder_of_one_name_end_in_a_line(tmp_path: Path, out: Path) -> None:
    with pytest.raises(SketchyError, match=r"cannot write .*photo.*; choose a place"):
        unpack(make(tmp_path / "a.zip", {"photo": b"1", "photo/1.jpg": b"1"}), out)
    assert not list(out.parent.iterdir())


def test_a_missing_archive_is_named(tmp_path: Path, out: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*none\.zip: no such file; check the path"):
        unpack(tmp_path / "none.zip", out)


def test_archives_of_different_kinds_stay_untouched(tmp_path: Path, out: Path) -> None:
    make_all: list[Callable[[], Path]] = [lambda kind=kind: make(tmp_path / f"a.{kind}", FILES) for kind in KINDS[:5]]
    for number, making in enumerate(make_all):
        archive = making()
        before = archive.read_bytes()
        unpack(archive, out.with_name(f"{number}"))
        assert archive.read_bytes() == before
