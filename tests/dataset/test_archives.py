"""What the readers say of members; that nothing evil is unpacked is tested in test_unpack."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sketchy.dataset.archives import Archive, Folder, Member, SevenZip, Tar, Zip, split_name


def zipped(path: Path, *infos: zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for info in infos:
            archive.writestr(info, b"" if info.is_dir() else b"four")
    return path


def tarred(path: Path, *infos: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for info in infos:
            info.size = 4 if info.isreg() else 0
            archive.addfile(info, io.BytesIO(b"four"))
    return path


def members(kind: Callable[[Any], Archive], path: Path) -> list[Member]:
    with path.open("rb") as file, closing(kind(file)) as archive:
        return list(archive.members())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b.jpg", ["a", "b.jpg"]),
        ("./a//b.jpg", ["a", "b.jpg"]),
        ("a\\b.jpg", ["a", "b.jpg"]),
        ("a/../b.jpg", ["a", "..", "b.jpg"]),
        ("/", []),
    ],
)
def test_names_are_split_at_both_slashes(name: str, parts: list[str]) -> None:
    assert split_name(name) == parts


def test_a_zip_tells_folders_and_links_from_files(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "a.zip", zipfile.ZipInfo("a/"), zipfile.ZipInfo("a/b"), link)
    assert members(Zip, path) == [
        Member("a/", 0, folder=True, special=False),
        Member("a/b", 4, folder=False, special=False),
        Member("link", 4, folder=False, special=True),
    ]


def test_a_zip_keeps_what_follows_a_nul_in_a_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", zipfile.ZipInfo("a.jpg?.exe"))
    path.write_bytes(path.read_bytes().replace(b"?", b"\0"))
    assert [member.name for member in members(Zip, path)] == ["a.jpg\0.exe"]


@pytest.mark.parametrize(
    ("raw", "name"),
    [("é".encode(), "é"), (b"\x82", "é"), (b"z\xff\xe9", "z\xa0Θ")],
    ids=["utf-8", "cp437", "neither"],
)
def test_a_zip_name_without_encoding_is_utf_8_if_it_can_be(tmp_path: Path, raw: bytes, name: str) -> None:
    path = zipped(tmp_path / "a.zip", zipfile.ZipInfo("?" * len(raw)))
    path.write_bytes(path.read_bytes().replace(b"?" * len(raw), raw))
    assert [member.name for member in members(Zip, path)] == [name]


@pytest.mark.parametrize(
    ("kind", "folder", "special"),
    [
        (tarfile.REGTYPE, False, False),
        (tarfile.DIRTYPE, True, False),
        (tarfile.SYMTYPE, False, True),
        (tarfile.LNKTYPE, False, True),
        (tarfile.CHRTYPE, False, True),
        (tarfile.FIFOTYPE, False, True),
    ],
)
def test_a_tar_tells_files_folders_and_the_rest(tmp_path: Path, kind: bytes, folder: bool, special: bool) -> None:
    info = tarfile.TarInfo("a")
    info.type = kind
    (member,) = members(lambda file: Tar("r:", file), tarred(tmp_path / "a.tar", info))
    assert (member.name, member.folder, member.special) == ("a", folder, special)


def test_a_tar_without_its_end_is_not_whole(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", tarfile.TarInfo("a"))
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(tarfile.ReadError, match="no end mark"):
        members(lambda file: Tar("r:", file), path)


def test_closing_an_archive_leaves_the_file_open(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.writestr(b"four", "a")
    zipped(tmp_path / "a.zip", zipfile.ZipInfo("a"))
    tarred(tmp_path / "a.tar", tarfile.TarInfo("a"))
    kinds: dict[str, Callable[[Any], Archive]] = {"7z": SevenZip, "zip": Zip, "tar": lambda file: Tar("r:", file)}
    for suffix, kind in kinds.items():
        with (tmp_path / f"a.{suffix}").open("rb") as file:
            kind(file).close()
            assert not file.closed


def test_a_folder_counts_bytes_and_ends_each_file_when_the_next_begins(tmp_path: Path) -> None:
    counted: list[int] = []
    folder = Folder(tmp_path, counted.append)
    folder.create(str(tmp_path / "a" / "first")).write(b"12345")
    folder.create(str(tmp_path / "second")).write(b"123")
    assert (tmp_path / "a" / "first").read_bytes() == b"12345"
    folder.add("b/third", io.BytesIO(b"12"))
    folder.close()
    assert (tmp_path / "second").read_bytes() == b"123"
    assert (tmp_path / "b" / "third").read_bytes() == b"12"
    assert counted == [5, 3, 2]
