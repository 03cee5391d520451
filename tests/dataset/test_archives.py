"""What the readers say of members; that nothing evil is unpacked is tested in test_unpack."""

import io
import stat
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from sketchy.dataset.archives import CHUNK_BYTES, Archive, SevenZip, Tar, Zip, split_name


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


def members(opened: Archive) -> list[tuple[str, str, int]]:
    with closing(opened) as archive:
        return [(member.name, member.kind, member.size) for member in archive.members()]


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
    assert members(Zip(path)) == [("a/", "folder", 0), ("a/b", "file", 4), ("link", "special", 0)]


def test_a_zip_keeps_what_follows_a_nul_in_a_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", zipfile.ZipInfo("a.jpg?.exe"))
    path.write_bytes(path.read_bytes().replace(b"?", b"\0"))
    assert [name for name, _, _ in members(Zip(path))] == ["a.jpg\0.exe"]


@pytest.mark.parametrize(
    ("raw", "name"),
    [("é".encode(), "é"), (b"\x82", "é"), (b"z\xff\xe9", "z\xa0Θ")],
    ids=["utf-8", "cp437", "neither"],
)
def test_a_zip_name_without_encoding_is_utf_8_if_it_can_be(tmp_path: Path, raw: bytes, name: str) -> None:
    path = zipped(tmp_path / "a.zip", zipfile.ZipInfo("?" * len(raw)))
    path.write_bytes(path.read_bytes().replace(b"?" * len(raw), raw))
    assert [name for name, _, _ in members(Zip(path))] == [name]


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (tarfile.REGTYPE, "file"),
        (tarfile.DIRTYPE, "folder"),
        (tarfile.SYMTYPE, "special"),
        (tarfile.LNKTYPE, "special"),
        (tarfile.CHRTYPE, "special"),
        (tarfile.FIFOTYPE, "special"),
        (tarfile.GNUTYPE_SPARSE, "special"),  # its bytes do not stand one after the other
    ],
)
def test_a_tar_tells_files_folders_and_the_rest(tmp_path: Path, stored: bytes, kind: str) -> None:
    info = tarfile.TarInfo("a")
    info.type = stored
    assert members(Tar("r:", tarred(tmp_path / "a.tar", info))) == [("a", kind, 4 if kind == "file" else 0)]


def test_a_tar_without_its_end_is_not_whole(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", tarfile.TarInfo("a"))
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(tarfile.ReadError, match="no end mark"):
        members(Tar("r:", path))


def test_a_7z_lists_what_it_holds(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.writestr(b"four", "b/a")
    assert members(SevenZip(tmp_path / "a.7z")) == [("b/a", "file", 4)]


@pytest.mark.parametrize("size", [0, 4, 3 * CHUNK_BYTES + 1])
def test_the_chunks_of_a_file_are_its_content(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (tmp_path / "a").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zip_archive:
        zip_archive.write(tmp_path / "a", "a")
    with tarfile.open(tmp_path / "a.tar", "w") as tar_archive:
        tar_archive.add(tmp_path / "a", "a")
    for opened in (Zip(tmp_path / "a.zip"), Tar("r:", tmp_path / "a.tar")):
        with closing(opened) as archive:
            (member,) = archive.members()
            chunks = list(archive.chunks(member))
            assert b"".join(chunks) == content
            assert all(len(chunk) <= CHUNK_BYTES for chunk in chunks)
