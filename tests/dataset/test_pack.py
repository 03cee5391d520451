import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

import sketchy
from sketchy.dataset import pack as module
from sketchy.dataset.pack import CONTENTS, IMAGES, Pack, open_pack, split_pack
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import open_source
from sketchy.errors import DataError, StorageError
from sketchy.preprocess import Preprocess
from sketchy.progress import Advance
from sketchy.results import Skipped

PREPROCESS = Preprocess(16, "grey", 0.5)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """Half of the dataset, which a test may change."""
    half = shutil.ignore_patterns("cross", "square")
    return Path(shutil.copytree(dataset, tmp_path / "copy", ignore=half))


class Watch:
    """Counts how often something is packed."""

    def __init__(self) -> None:
        self.packed = 0

    @contextmanager
    def __call__(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        self.packed += 1
        yield lambda done: None


def pack(root: Path, cache: Path, preprocess: Preprocess = PREPROCESS, watch: Watch | None = None) -> Pack:
    source = open_source(root)
    try:
        return open_pack(source, find_records(source), preprocess, cache, watch or Watch())
    finally:
        source.close()


def photos_of(root: Path) -> list[Path]:
    return sorted(root.glob("256x256/photo/*/*/*"))


def sketches_of(root: Path) -> list[Path]:
    return sorted(root.glob("256x256/sketch/*/*/*"))


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Names, times of change and contents of all files."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_nothing_left(cache: Path) -> None:
    """No pack and no part of one is there; the empty file that processes lock may stay."""
    assert [path for path in cache.iterdir() if path.suffix != ".lock"] == []
    assert all(path.stat().st_size == 0 for path in cache.iterdir())


@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_packed_pixels_are_those_of_each_file_preprocessed(dataset: Path, cache: Path, color: str) -> None:
    preprocess = Preprocess(24, color, 0.5, 20)  # type: ignore[arg-type]
    packed = pack(dataset, cache, preprocess)
    assert packed.photos.shape == (40, 3 if color == "rgb" else 1, 24, 24)
    assert packed.sketches.shape == (80, 1, 20, 20)
    for records, pixels in ((packed.photo_records, packed.photos), (packed.sketch_records, packed.sketches)):
        for record, stored in zip(records, pixels, strict=True):
            assert np.array_equal(stored, preprocess.load(dataset / record.name, record.kind))


def test_rows_say_what_they_are(dataset: Path, cache: Path) -> None:
    packed = pack(dataset, cache)
    assert packed.categories == ("bar", "cross", "disc", "square")
    for records, numbers in (
        (packed.photo_records, packed.photo_category),
        (packed.sketch_records, packed.sketch_category),
    ):
        assert [packed.categories[number] for number in numbers] == [record.category for record in records]
        assert numbers.dtype == np.int64
        assert list(records) == sorted(records, key=lambda record: (record.category, record.photo_id, record.name))
    for sketch, row in zip(packed.sketch_records, packed.sketch_photo, strict=True):
        photo = packed.photo_records[row]
        assert (photo.category, photo.photo_id) == (sketch.category, sketch.photo_id)
    assert packed.skipped == ()


def test_a_pack_cannot_be_written_to(copy: Path, cache: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        pack(copy, cache).photos[0] = 0


@pytest.mark.parametrize("form", ["zip", "tar", "gztar"])
def test_an_archive_packs_as_its_folder_does(dataset: Path, tmp_path: Path, cache: Path, form: str) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "data"), form, dataset))
    from_folder, from_archive = pack(dataset, cache), pack(archive, cache)
    assert np.array_equal(from_folder.photos, from_archive.photos)
    assert np.array_equal(from_folder.sketches, from_archive.sketches)
    assert from_folder.sketch_records == from_archive.sketch_records


def test_a_pack_is_made_once_and_not_read_from_the_source_again(copy: Path, cache: Path) -> None:
    watch = Watch()
    first = pack(copy, cache, watch=watch)
    source = open_source(copy)
    listing = find_records(source)
    for path in photos_of(copy):
        path.unlink()  # the listing was made before: only reading would notice
    second = open_pack(source, listing, PREPROCESS, cache, watch)
    assert watch.packed == 1
    assert np.array_equal(first.photos, second.photos)
    assert first.photo_records == second.photo_records


def touch(root: Path) -> None:
    os.utime(photos_of(root)[3], ns=(0, 1))


def grow(root: Path) -> None:
    path = photos_of(root)[3]
    stamp = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(stamp, stamp))


def add(root: Path) -> None:
    shutil.copy2(photos_of(root)[3], photos_of(root)[3].with_name("new.jpg"))


def remove(root: Path) -> None:
    sketches_of(root)[3].unlink()


def rename(root: Path) -> None:
    sketches_of(root)[3].rename(sketches_of(root)[3].with_name("p0-99.png"))


def move(root: Path) -> None:
    photo = photos_of(root)[3]
    photo.rename(photo.parent.parent / "disc" / "moved.jpg")


@pytest.mark.parametrize("change", [touch, grow, add, remove, rename, move])
def test_a_change_of_a_file_makes_another_pack(copy: Path, cache: Path, change: object) -> None:
    watch = Watch()
    pack(copy, cache, watch=watch)
    change(copy)  # type: ignore[operator]
    pack(copy, cache, watch=watch)
    assert watch.packed == 2


@pytest.mark.parametrize("changes", [{"size": 17}, {"color": "rgb"}, {"sketch_crop": 0.6}])
def test_another_preprocessing_makes_another_pack_and_keeps_the_first(
    copy: Path, cache: Path, changes: dict[str, object]
) -> None:
    watch = Watch()
    for preprocess in (PREPROCESS, replace(PREPROCESS, **changes), PREPROCESS):  # type: ignore[arg-type]
        pack(copy, cache, preprocess, watch)
    assert watch.packed == 2


def test_another_pillow_or_another_version_of_the_code_makes_another_pack(
    copy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    pack(copy, cache, watch=watch)
    with monkeypatch.context() as patch:
        patch.setattr(PIL, "__version__", "0.0")
        pack(copy, cache, watch=watch)
    assert watch.packed == 2
    monkeypatch.setattr(module.pkgutil, "get_data", lambda package, name: f"{name} changed".encode())
    pack(copy, cache, watch=watch)
    assert watch.packed == 3


def test_all_modules_that_the_pixels_depend_on_are_known() -> None:
    found, waiting = set(), {"preprocess.py"}
    package = Path(sketchy.__file__).parent
    while waiting:
        found |= waiting
        imports = re.findall(
            r"^from sketchy\.([\w.]+) import", "".join((package / n).read_text() for n in waiting), re.M
        )
        files = {f"{name.replace('.', '/')}{'/__init__' if (package / name).is_dir() else ''}.py" for name in imports}
        waiting = files - found - {"config.py", "errors.py", "extras.py", "storage.py"}
    assert found == set(module.DECODERS)


def test_what_is_no_image_of_the_dataset_or_another_place_makes_no_new_pack(copy: Path, cache: Path) -> None:
    watch = Watch()
    pack(copy, cache, watch=watch)
    (copy / "notes.txt").write_text("mine")
    (copy / ".DS_Store").write_text("")
    photos_of(copy)[0].with_name("list.csv").write_text("")
    pack(copy, cache, watch=watch)
    moved = copy.rename(copy.with_name("moved"))
    packed = pack(moved, cache, watch=watch)
    assert watch.packed == 1
    assert len(packed.photos) == 20


def spoil(root: Path) -> dict[str, str]:
    """Break the first, a middle and the last photo and two sketches; return name to reason."""
    photos, sketches = photos_of(root), sketches_of(root)
    blank = io.BytesIO()
    Image.new("L", (40, 40), 255).save(blank, "PNG")
    bad = {
        photos[0]: (b"", "empty file"),
        photos[17]: (photos[17].read_bytes()[:300], "broken image data"),
        photos[-1]: (b"<svg xmlns='x'/>", "is SVG; export it as PNG first"),
        sketches[5]: (b"hello", "not an image in a known format"),
        sketches[-1]: (blank.getvalue(), "the sketch is blank: no ink was found"),
    }
    for path, (content, _) in bad.items():
        path.write_bytes(content)
    return {str(path): reason for path, (_, reason) in bad.items()}


def test_unusable_images_are_skipped_by_name_and_the_others_keep_their_pixels(copy: Path, cache: Path) -> None:
    bad = spoil(copy)
    for packed in (pack(copy, cache), pack(copy, cache)):  # built, and opened again
        found = {skipped.path: skipped.reason for skipped in packed.skipped}
        assert found.keys() == bad.keys()
        assert all(found[path] in (bad[path], "truncated") for path in bad)
        assert (len(packed.photos), len(packed.sketches)) == (17, 38)
        for records, pixels in ((packed.photo_records, packed.photos), (packed.sketch_records, packed.sketches)):
            for record, stored in zip(records, pixels, strict=True):
                assert np.array_equal(stored, PREPROCESS.load(copy / record.name, record.kind))


def test_a_sketch_of_a_photo_that_is_skipped_traces_none(copy: Path, cache: Path) -> None:
    photos_of(copy)[0].write_bytes(b"")
    packed = pack(copy, cache)
    lost = [record.name for record, row in zip(packed.sketch_records, packed.sketch_photo, strict=True) if row < 0]
    assert [Path(name).name for name in lost] == ["p0-1.png", "p0-2.png"]


@pytest.mark.parametrize(("kind", "listing"), [("photo", photos_of), ("sketch", sketches_of)])
def test_where_all_of_one_kind_are_unusable_one_is_named_and_nothing_left(
    copy: Path, cache: Path, kind: str, listing: object
) -> None:
    paths = listing(copy)  # type: ignore[operator]
    for path in paths:
        path.write_bytes(b"hello")
    with pytest.raises(DataError) as caught:
        pack(copy, cache)
    message = str(caught.value)
    assert message.startswith(f"not one {kind} of {copy} can be used, such as {paths[0]}: not an image")
    assert message.endswith("`sketchy data check` lists them all")
    assert_nothing_left(cache)


def test_a_file_that_vanishes_while_packing_is_skipped(copy: Path, cache: Path) -> None:
    source = open_source(copy)
    listing = find_records(source)
    photos_of(copy)[4].unlink()
    (gone,) = open_pack(source, listing, PREPROCESS, cache).skipped
    assert gone == Skipped(source.locate(listing.records[4].name), "no such file")


class Full(io.BytesIO):
    """Takes what a disk has room for."""

    def write(self, data: object) -> int:
        if self.tell() > 3000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [IMAGES, CONTENTS])
def test_a_full_disk_is_a_storage_error_and_leaves_nothing(
    dataset: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opening = Path.open

    def open_full(path: Path, mode: str = "r", **options: object) -> object:
        if path.name == name and "w" in mode:
            opening(path, "wb").close()
            if name == CONTENTS:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return Full()
        return opening(path, mode, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(StorageError) as caught:
            pack(dataset, cache)
    assert "or set data.cache or SKETCHY_CACHE to a folder" in str(caught.value)
    assert_nothing_left(cache)
    assert len(pack(dataset, cache).photos) == 40


def test_a_pack_that_is_killed_half_way_is_not_taken_for_whole(dataset: Path, cache: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from sketchy.dataset import pack
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import open_source
from sketchy.preprocess import Preprocess

class Dying(Preprocess):
    done = 0
    def load(self, content, kind):
        Dying.done += 1
        if Dying.done == 70:
            os.kill(os.getpid(), 9)
        return super().load(content, kind)

source = open_source(Path(sys.argv[1]))
pack.open_pack(source, find_records(source), Dying(16, "grey", 0.5), Path(sys.argv[2]))
"""
    killed = subprocess.run([sys.executable, "-c", script, str(dataset), str(cache)], check=False, timeout=60)
    assert killed.returncode == -9
    (left,) = cache.glob(".*.part")
    assert (left / IMAGES).exists()
    watch = Watch()
    assert len(pack(dataset, cache, watch=watch).photos) == 40
    assert watch.packed == 1
    assert not list(cache.glob(".*.part"))


def break_off_images(folder: Path) -> None:
    os.truncate(folder / IMAGES, 1000)


def lengthen_images(folder: Path) -> None:
    os.truncate(folder / IMAGES, (folder / IMAGES).stat().st_size + 1)


def empty_images(folder: Path) -> None:
    os.truncate(folder / IMAGES, 0)


def remove_images(folder: Path) -> None:
    (folder / IMAGES).unlink()


def remove_contents(folder: Path) -> None:
    (folder / CONTENTS).unlink()


def break_off_contents(folder: Path) -> None:
    os.truncate(folder / CONTENTS, 20)


def replace_contents(folder: Path) -> None:
    (folder / CONTENTS).write_text("[]")


def forget_what_was_skipped(folder: Path) -> None:
    contents = json.loads((folder / CONTENTS).read_text())
    del contents["skipped"]
    (folder / CONTENTS).write_text(json.dumps(contents))


@pytest.mark.parametrize(
    "damage",
    [
        break_off_images,
        lengthen_images,
        empty_images,
        remove_images,
        remove_contents,
        break_off_contents,
        replace_contents,
        forget_what_was_skipped,
    ],
)
def test_a_damaged_pack_is_made_anew(copy: Path, cache: Path, damage: object) -> None:
    before = np.array(pack(copy, cache).photos)
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    damage(folder)  # type: ignore[operator]
    watch = Watch()
    after = pack(copy, cache, watch=watch)
    assert watch.packed == 1
    assert np.array_equal(after.photos, before)


def test_nothing_in_the_dataset_is_written_or_touched(copy: Path, cache: Path) -> None:
    before = tree(copy)
    folders = [copy, *(path for path in copy.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        pack(copy, cache)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert tree(copy) == before


@pytest.mark.parametrize("inside", [".", "cache", "256x256/photo"])
def test_a_cache_inside_the_dataset_is_refused(copy: Path, inside: str) -> None:
    before = tree(copy)
    with pytest.raises(StorageError, match=r"the cache .* lies inside the dataset .*; set data\.cache"):
        pack(copy, copy / inside)
    assert tree(copy) == before
    assert not (copy / "cache").exists()


def test_a_link_does_not_hide_that_the_cache_lies_inside(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(copy)
    with pytest.raises(StorageError, match="lies inside the dataset"):
        pack(copy, tmp_path / "link" / "cache")


def test_odd_names_are_packed_and_opened_again(copy: Path, cache: Path) -> None:
    odd = ["a b é.jpg", "new\nline.jpg"]
    for name in odd:
        shutil.copy(photos_of(copy)[0], photos_of(copy)[0].with_name(name))
    raw = os.fsencode(photos_of(copy)[0].parent) + b"/z\xff.jpg"
    try:
        shutil.copy(os.fsencode(photos_of(copy)[0]), raw)
        os.truncate(raw, 0)
    except OSError:
        pytest.skip("this file system takes no such names")
    for packed in (pack(copy, cache), pack(copy, cache)):
        assert len(packed.photos) == 22
        assert [os.fsencode(skipped.path) for skipped in packed.skipped] == [raw]


def test_no_photo_and_no_drawing_of_it_is_in_two_parts(dataset: Path, cache: Path) -> None:
    packed = pack(dataset, cache)
    parts = split_pack(packed, 0.3, 0.3, seed=1)
    assert list(parts) == ["train", "val", "test"]
    photos = np.concatenate([part.photos for part in parts.values()])
    sketches = np.concatenate([part.sketches for part in parts.values()])
    assert sorted(photos.tolist()) == list(range(40))
    assert sorted(sketches.tolist()) == list(range(80))
    for part in parts.values():
        assert len(part.photos) > 0
        assert part.photos.dtype == part.sketches.dtype == np.int64
        assert (np.diff(part.photos) > 0).all()
        assert set(packed.sketch_photo[part.sketches].tolist()) == set(part.photos.tolist())


def test_a_skipped_photo_moves_no_other_to_another_part(copy: Path, cache: Path) -> None:
    whole = pack(copy, cache)
    before = {
        whole.photo_records[row].name: part for part, s in split_pack(whole, 0.3, 0.2, 0).items() for row in s.photos
    }
    photos_of(copy)[0].write_bytes(b"")
    rest = pack(copy, cache)
    after = {
        rest.photo_records[row].name: part for part, s in split_pack(rest, 0.3, 0.2, 0).items() for row in s.photos
    }
    assert len(after) == 19
    assert after.items() <= before.items()


def test_a_part_that_gets_nothing_is_empty(dataset: Path, cache: Path) -> None:
    parts = split_pack(pack(dataset, cache), 0.2, 0.0, seed=0)
    assert len(parts["val"].photos) == len(parts["val"].sketches) == 0
