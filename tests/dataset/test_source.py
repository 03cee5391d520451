import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sketchy.dataset.source import MAX_FILE_BYTES, Source, open_source
from sketchy.errors import DataError, ImageError

FILES = {
    "photo/cat/a.jpg": b"first",
    "photo/cat/ü 猫.jpg": b"odd name",
    "photo/dog/b.jpg": b"",
    "sketch/cat/a-1.png": b"x" * 70_000,
}
HIDDEN = ("photo/.DS_Store", ".git/config", "__MACOSX/photo/cat/._a.jpg")
PACKED = ("folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def make_folder(root: Path) -> Path:
    for name, content in {**FILES, **dict.fromkeys(HIDDEN, b"hidden")}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def make(tmp_path: Path, form: str) -> Path:
    folder = make_folder(tmp_path / "folder")
    if form == "folder":
        return folder
    archive = tmp_path / f"data.{form}"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    if form == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in names:
                packed.write(folder / name, name)
    else:
        with tarfile.open(archive, f"w:{form[4:]}") as packed_tar:
            for name in names:
                packed_tar.add(folder / name, f"./{name}", recursive=False)
    return archive


@pytest.fixture(params=PACKED)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    opened = open_source(make(tmp_path, request.param))
    yield opened
    opened.close()


def test_every_form_lists_the_same_files_without_hidden_ones(source: Source) -> None:
    assert {entry.name: entry.size for entry in source.entries()} == {name: len(c) for name, c in FILES.items()}


def test_every_form_reads_the_same_content_in_any_order(source: Source) -> None:
    for name in [*FILES, *reversed(FILES)]:
        assert source.read(name) == FILES[name]


def test_every_form_may_be_read_from_several_threads(source: Source) -> None:
    names = list(FILES) * 25
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(source.read, names)) == [FILES[name] for name in names]


def test_a_file_that_is_not_there_is_an_image_error(source: Source) -> None:
    with pytest.raises(ImageError, match=r"not in the archive|no such file"):
        source.read("photo/cat/gone.jpg")


def test_locate_says_where_a_file_lies(source: Source) -> None:
    assert source.locate("photo/cat/a.jpg") == f"{source.path}/photo/cat/a.jpg"


def test_only_a_compressed_tar_wants_to_be_read_in_order(source: Source) -> None:
    assert source.sequential == (source.path.suffix in (".gz", ".bz2", ".xz"))


def test_reading_a_compressed_tar_in_its_order_never_goes_back(tmp_path: Path) -> None:
    opened = open_source(make(tmp_path, "tar.gz"))
    names = [entry.name for entry in opened.entries()]
    opened.read(names[0])
    stream = opened._archive._stream  # type: ignore[attr-defined]
    offsets = [opened.read(name) and stream.tell() for name in names[1:] if FILES[name]]
    assert offsets == sorted(offsets)
    opened.close()


def test_archives_are_known_by_content_whatever_their_name(tmp_path: Path) -> None:
    archive = make(tmp_path, "tar.gz").rename(tmp_path / "download")
    opened = open_source(archive)
    assert len(opened.entries()) == len(FILES)
    opened.close()


def test_a_stamp_changes_with_the_content(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    before = open_source(folder).entries()
    (folder / "photo/cat/a.jpg").write_bytes(b"FIRST")
    os.utime(folder / "photo/cat/a.jpg", ns=(0, 123))
    changed = [new.name for old, new in zip(before, open_source(folder).entries(), strict=True) if old != new]
    assert changed == ["photo/cat/a.jpg"]


def test_linked_folders_are_followed_and_rings_are_not(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.jpg").write_bytes(b"linked")
    folder = make_folder(tmp_path / "data")
    (folder / "photo/bird").symlink_to(elsewhere)
    (folder / "photo/cat/ring").symlink_to(folder)
    (elsewhere / "self").symlink_to(elsewhere)
    names = {entry.name for entry in open_source(folder).entries()}
    assert names == {*FILES, "photo/bird/c.jpg"}


def test_a_link_to_nothing_is_listed_and_says_so_when_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone")
    opened = open_source(tmp_path)
    assert [entry.name for entry in opened.entries()] == ["a.jpg"]
    with pytest.raises(ImageError, match="no such file"):
        opened.read("a.jpg")


def test_a_hard_link_in_a_tar_reads_like_its_target(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"twice")
    (tmp_path / "b.jpg").hardlink_to(tmp_path / "a.jpg")
    with tarfile.open(tmp_path / "data.tar", "w") as packed:
        packed.add(tmp_path / "a.jpg", "a.jpg")
        packed.add(tmp_path / "b.jpg", "b.jpg")
    opened = open_source(tmp_path / "data.tar")
    assert [opened.read(entry.name) for entry in opened.entries()] == [b"twice", b"twice"]
    opened.close()


def test_of_two_members_with_one_name_the_later_counts(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "data.tar", "w") as packed:
        for content in (b"old", b"newer"):
            member = tarfile.TarInfo("a.jpg")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    opened = open_source(tmp_path / "data.tar")
    assert [(entry.size, opened.read(entry.name)) for entry in opened.entries()] == [(5, b"newer")]
    opened.close()


def test_an_archive_at_the_end_of_a_tar_does_not_hide_the_others(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("inner.jpg", b"hidden")
    with tarfile.open(tmp_path / "data.tar", "w") as packed_tar:
        for name, content in (("a.jpg", b"seen"), ("b.zip", inner.getvalue())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed_tar.addfile(member, io.BytesIO(content))
    opened = open_source(tmp_path / "data.tar")
    assert [entry.name for entry in opened.entries()] == ["a.jpg", "b.zip"]
    opened.close()


def test_a_zip_that_unpacks_itself_is_read(tmp_path: Path) -> None:
    path = make(tmp_path, "zip")
    path.write_bytes(b"MZ a program" + path.read_bytes())
    opened = open_source(path)
    assert {entry.name: opened.read(entry.name) for entry in opened.entries()} == FILES
    opened.close()


def test_a_file_with_a_password_is_named_as_such(tmp_path: Path) -> None:
    path = make(tmp_path, "zip")
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of the last file in the list
    path.write_bytes(content)
    opened = open_source(path)
    reasons = []
    for entry in opened.entries():
        try:
            opened.read(entry.name)
        except ImageError as error:
            reasons.append(str(error))
    assert reasons == ["cannot be unpacked: it needs a password"]
    opened.close()


def test_an_empty_folder_has_no_entries(tmp_path: Path) -> None:
    assert open_source(tmp_path).entries() == []


def test_a_missing_source_is_a_data_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no dataset at .*gone"):
        open_source(tmp_path / "gone")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"data\.zip is not a folder, \.zip or \.tar; name one of these"),
        (b"7z\xbc\xaf\x27\x1c and more", r"data\.zip is a \.7z, .*; run `sketchy data fetch --from .*data\.zip`"),
        (b"PK\x03\x04 cut off", r"cannot read .*data\.zip: File is not a zip file; get it again"),
    ],
)
def test_a_file_that_is_no_archive_to_read_is_a_data_error(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_source(tmp_path / "data.zip")


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_a_cut_off_tar_is_a_data_error_and_not_half_a_dataset(tmp_path: Path, form: str) -> None:
    archive = make(tmp_path, form)
    archive.write_bytes(archive.read_bytes()[: -40 if form != "tar" else -30_000])
    with pytest.raises(DataError, match=r"data\.tar"):
        open_source(archive)


def test_members_named_from_a_dot_are_no_hidden_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as packed:
        packed.writestr("./photo/cat/a.jpg", b"seen")
        packed.writestr("./.photo/cat/a.jpg", b"hidden")
    opened = open_source(tmp_path / "data.zip")
    assert [opened.read(entry.name) for entry in opened.entries()] == [b"seen"]
    opened.close()


def test_damage_inside_a_zip_is_an_image_error_of_that_file(tmp_path: Path) -> None:
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.jpg", b"intact content")
        packed.writestr("b.jpg", b"other content!")
    archive.write_bytes(archive.read_bytes().replace(b"other content!", b"other CONTENT!"))
    opened = open_source(archive)
    assert opened.read("a.jpg") == b"intact content"
    with pytest.raises(ImageError, match="damaged in the archive"):
        opened.read("b.jpg")
    opened.close()


def claim_to_be_huge(tmp_path: Path, form: str) -> Path:
    """Make a dataset of one file that seems to be too large, without writing so many bytes."""
    path = tmp_path / "data"
    if form == "folder":
        path.mkdir()
        (path / "a.jpg").touch()
        os.truncate(path / "a.jpg", MAX_FILE_BYTES + 1)
    elif form == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("a.jpg", b"small")
            packed.getinfo("a.jpg").file_size = MAX_FILE_BYTES + 1
    else:
        member = tarfile.TarInfo("a.jpg")
        member.size = MAX_FILE_BYTES + 1
        path.write_bytes(member.tobuf())
        os.truncate(path, 512 + MAX_FILE_BYTES + 512 + 1024)
    return path


@pytest.mark.parametrize("form", ["folder", "zip", "tar"])
def test_a_huge_file_is_refused_before_it_fills_the_memory(tmp_path: Path, form: str) -> None:
    opened = open_source(claim_to_be_huge(tmp_path, form))
    with pytest.raises(ImageError, match="larger than 256 MiB"):
        opened.read("a.jpg")
    opened.close()


@pytest.mark.parametrize("name", ["photo/café/a.jpg", "photo/cafe\u0301/a.jpg", "photo/猫/a.jpg"])
def test_a_zip_of_macos_gives_names_in_utf_8_though_it_does_not_say_so(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as packed:
        packed.writestr("?" * len(name.encode()), b"seen")
    content = (tmp_path / "data.zip").read_bytes()
    (tmp_path / "data.zip").write_bytes(content.replace(b"?" * len(name.encode()), name.encode()))
    opened = open_source(tmp_path / "data.zip")
    assert [(entry.name, opened.read(entry.name)) for entry in opened.entries()] == [(name, b"seen")]
    opened.close()


def test_a_zip_of_windows_gives_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as packed:
        packed.writestr("photo?cat?", b"")
        packed.writestr("photo?cat?a.jpg", b"seen")
    (tmp_path / "data.zip").write_bytes((tmp_path / "data.zip").read_bytes().replace(b"?", b"\\"))
    opened = open_source(tmp_path / "data.zip")
    assert [(entry.name, opened.read(entry.name)) for entry in opened.entries()] == [("photo/cat/a.jpg", b"seen")]
    opened.close()


def test_names_that_are_no_text_are_read_from_a_folder(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/z\xff\xe9bra\nb.jpg"
    try:
        with open(odd, "wb") as file:  # noqa: PTH123
            file.write(b"seen")
    except OSError:
        pytest.skip("this file system takes no such names")
    opened = open_source(tmp_path)
    assert [opened.read(entry.name) for entry in opened.entries()] == [b"seen"]


def test_a_device_or_a_pipe_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(DataError, match="is a device or a pipe; name a folder"):
            open_source(path)
