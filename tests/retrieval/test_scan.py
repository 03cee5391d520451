import os
import unicodedata
from collections import Counter

import pytest
from PIL import Image

from sketchy.errors import GalleryError
from sketchy.image import RAW_SUFFIXES, SUFFIXES
from sketchy.retrieval.scan import PhotoFile, absolute_sources, walk


def touch(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def found(*sources):
    """What is found, and what is reported, with paths relative to the current folder."""
    reported = []
    files = [(os.path.relpath(file.path), file.category) for file in walk(absolute_sources(sources), reported.append)]
    return files, [(os.path.relpath(item.path), item.reason) for item in reported]


def left_out(*sources, exclude=()):
    """What is left out, with paths relative to the current folder."""
    left = []
    for _ in walk(absolute_sources(sources), left.append, left.append, exclude):
        pass
    return {os.path.relpath(item.path): item.reason for item in left}


def test_a_folder_is_walked_in_order(tmp_path):
    for name in ("b.JPG", "a.png", "cats/x.jpeg", "cats/old/y.webp", "2023/z.gif", "notes.txt", "cats/layers.psd"):
        touch(tmp_path / name)
    assert found(tmp_path) == (
        [("a.png", None), ("b.JPG", None), ("2023/z.gif", None), ("cats/x.jpeg", None), ("cats/old/y.webp", None)],
        [],
    )


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in (".a.jpg", ".secret/b.jpg", "c.jpg"):
        touch(tmp_path / name)
    assert found(tmp_path)[0] == [("c.jpg", None)]
    (tmp_path / ".DS_Store").touch()  # nobody looks for a photo there
    assert left_out(tmp_path) == {".a.jpg": "hidden", ".secret": "hidden"}


def test_every_file_that_is_not_an_image_is_reported_with_the_reason(tmp_path):
    names = ("a.psd", "b.pdf", "c.jxl", "d.txt", "e.mp4", "IMG_1", ".f.jpg", "g.mov")
    for name in (*names, "g.jfif", "h.jpe", "i.JIF", "k.mpo", "l.jpg", "m.HEIC", "n.avif"):
        touch(tmp_path / name)
    images = ["g.jfif", "h.jpe", "i.JIF", "k.mpo", "l.jpg", "m.HEIC", "n.avif"]
    assert [name for name, _ in found(tmp_path)[0]] == images
    kind = "of another kind"
    reasons = (".psd", ".pdf", ".jxl", kind, kind, "without a suffix", "hidden", kind)
    assert left_out(tmp_path) == dict(zip(names, reasons, strict=True))


@pytest.mark.parametrize("installed", [True, False])
def test_raw_files_count_as_photos_if_their_extra_is_installed(tmp_path, monkeypatch, installed):
    touch(tmp_path / "a.CR2")
    monkeypatch.setattr(
        "sketchy.retrieval.scan.photo_suffixes", lambda: SUFFIXES | (RAW_SUFFIXES if installed else set())
    )
    assert found(tmp_path)[0] == [("a.CR2", None)] * installed
    assert left_out(tmp_path) == ({} if installed else {"a.CR2": ".cr2"})


def test_files_without_a_suffix_are_known_by_their_content(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "IMG_1", "PNG")
    (tmp_path / "README").write_text("hello")
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path)[0] == [("IMG_1", None)]
    assert left_out(tmp_path) == {"README": "without a suffix", "pipe": "without a suffix"}


def test_companions_of_photos_are_passed_over_silently(tmp_path):
    for name in ("a.HEIC", "A.MOV", "b.jpg", "b.AAE", "b.xmp", "._b.jpg", "Thumbs.db", ".DS_Store", "desktop.ini"):
        touch(tmp_path / name)
    assert found(tmp_path) == ([("a.HEIC", None), ("b.jpg", None)], [])
    assert left_out(tmp_path) == {}


@pytest.mark.parametrize(
    "folder",
    ["@eaDir/a.jpg", "Previews.lrdata/0/1", "Thumbs", "__MACOSX", ".thumbnails", ".picasaoriginals",
     "iPhoto Library/Thumbnails"],
)  # fmt: skip
def test_caches_of_thumbnails_are_passed_over_silently(tmp_path, folder):
    touch(tmp_path / "nas" / folder / "1.jpg")
    assert found(tmp_path) == ([], [])
    assert left_out(tmp_path) == {}
    assert len(found(tmp_path / "nas" / folder)[0]) == 1  # named, it is meant


@pytest.mark.parametrize(
    "folder",
    ["#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "@Recycle",
     "Pictures.photoslibrary/resources/derivatives"],
)  # fmt: skip
def test_folders_of_other_programs_are_left_out_and_their_images_counted(tmp_path, folder):
    touch(tmp_path / "nas" / "a.jpg")
    for name in ("1.jpg", "2.psd", "notes.txt"):
        touch(tmp_path / "nas" / folder / name)
    assert found(tmp_path)[0] == [("nas/a.jpg", None)]
    top = folder.split("/")[0]
    assert left_out(tmp_path) == {f"nas/{folder}/{name}": f"in {top}" for name in ("1.jpg", "2.psd")}
    assert len(found(tmp_path / "nas" / folder)[0]) == 1  # named, it is meant


@pytest.mark.parametrize("folder", ["My.photoslibrary/originals/A", "Old.photolibrary/Masters/2019"])
def test_the_originals_of_a_library_are_photos(tmp_path, folder):
    touch(tmp_path / folder / "a.jpg")
    assert found(tmp_path)[0] == [(f"{folder}/a.jpg", None)]


def test_excluded_files_are_left_out_at_any_depth_and_counted(tmp_path):
    for name in ("Trash/a.jpg", "x/Trash/b/c.jpg", "x/d.gif", "x/e.jpg", "café/f.jpg", "Trash2/g.jpg"):
        touch(tmp_path / name)
    exclude = ("Trash", "*.gif", unicodedata.normalize("NFD", "café") + "/*")
    left = left_out(tmp_path, exclude=exclude)
    assert Counter(left.values()) == {"excluded": 4}
    assert [file.path for file in walk([tmp_path], print, exclude=exclude)] == [
        f"{tmp_path}/Trash2/g.jpg",
        f"{tmp_path}/x/e.jpg",
    ]


def test_a_broken_link_does_not_hide_other_photos(tmp_path):
    for name in ("a.jpg", "z.jpg"):
        touch(tmp_path / name)
    (tmp_path / "loop").symlink_to("loop")
    files, reported = found(tmp_path)
    assert [name for name, _ in files] == ["a.jpg", "z.jpg"]
    assert [name for name, _ in reported] in ([], ["loop"])


def test_cyclic_links_are_followed_once_and_photos_keep_their_real_paths(tmp_path):
    touch(tmp_path / "photos" / "z real" / "x.jpg")
    touch(tmp_path / "elsewhere" / "y.jpg")
    (tmp_path / "photos" / "a link").symlink_to("z real")
    (tmp_path / "photos" / "z real" / "up").symlink_to("..")
    (tmp_path / "photos" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "broken.jpg").symlink_to("nowhere")
    files, reported = found(tmp_path / "photos")
    assert files == [("photos/broken.jpg", None), ("photos/z real/x.jpg", None), ("photos/out/y.jpg", None)]
    assert reported == []


def test_names_that_are_not_utf8_are_preserved(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    with open(folder + b"/\xff.jpg", "w"):  # noqa: PTH123
        pass
    (file,) = walk([tmp_path], lambda skipped: None)
    assert file == PhotoFile(f"{tmp_path}/caf\udce9/\udcff.jpg", None)


def test_the_sketches_of_a_dataset_are_not_photos(dataset):
    files = list(walk([dataset], lambda skipped: None))
    assert len(files) == 40
    assert {file.category for file in files} == {"disc", "square", "bar", "cross"}


def test_the_sketches_of_a_dataset_are_counted_as_left_out(dataset):
    assert Counter(left_out(dataset).values()) == {"in sketch": 80}


@pytest.mark.parametrize("names", [("photos", "sketches"), ("photos/2023", "sketches/portraits"), ("Photo", "Sketch")])
def test_sketches_beside_photos_in_a_folder_that_is_no_dataset_are_walked(tmp_path, names):
    for name in names:
        touch(tmp_path / name / "a.jpg")
    assert [path for path, _ in found(tmp_path)[0]] == [f"{name}/a.jpg" for name in names]
    assert left_out(tmp_path) == {}


def test_a_folder_given_as_sketches_is_walked(dataset):
    assert len(list(walk([dataset / "256x256" / "sketch"], lambda skipped: None))) == 80


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path, monkeypatch):
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "closed" / "b.jpg")
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(tmp_path) == ([("a.jpg", None)], [("closed", "permission denied")])


def test_sources_in_one_another_count_once(tmp_path):
    touch(tmp_path / "a" / "b" / "x.jpg")
    touch(tmp_path / "c.txt")
    assert found(tmp_path / "a" / "b", tmp_path / "a", tmp_path / "a" / "b" / "x.jpg")[0] == [("a/b/x.jpg", None)]
    assert found(tmp_path / "c.txt")[0] == [("c.txt", None)]  # named explicitly, so never left out


def test_a_source_must_exist(tmp_path):
    with pytest.raises(GalleryError, match=r"no such folder of photos: .*nowhere; name one"):
        absolute_sources([tmp_path / "nowhere"])
