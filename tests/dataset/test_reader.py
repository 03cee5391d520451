import tarfile
import zipfile
from pathlib import Path

import pytest

from sketchy.dataset.reader import Listing, find_records
from sketchy.dataset.source import open_source
from sketchy.errors import DataError

T0, T1 = "tx_000000000000", "tx_000100000000"
FLAT = ("photo/cat/a.jpg", "photo/cat/b.jpg", "sketch/cat/a-1.png", "sketch/cat/a-2.png", "sketch/cat/b-1.png")


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def find(root: Path, photo_rendering: str | None = None, sketch_rendering: str | None = None) -> Listing:
    source = open_source(root)
    try:
        return find_records(source, photo_rendering, sketch_rendering)
    finally:
        source.close()


def ids(listing: Listing) -> list[tuple[str, str, str]]:
    return [(record.kind, record.category, record.photo_id) for record in listing.records]


FLAT_IDS = [
    ("photo", "cat", "a"),
    ("photo", "cat", "b"),
    ("sketch", "cat", "a"),
    ("sketch", "cat", "a"),
    ("sketch", "cat", "b"),
]


def in_folder(folder: str, names: tuple[str, ...] = FLAT) -> list[str]:
    return [f"{folder}/{name}" for name in names]


def in_rendering(rendering: str, names: tuple[str, ...] = FLAT) -> list[str]:
    return [name.replace("/", f"/{rendering}/", 1) for name in names]


def test_flat_folders_are_read(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *FLAT))
    assert ids(listing) == FLAT_IDS
    assert [record.name for record in listing.records] == list(FLAT)
    assert listing.layout == "flat: photo and sketch"
    assert listing.problems == ()


@pytest.mark.parametrize(("photo", "sketch"), [("photos", "sketches"), ("Photo", "Sketch"), ("photos", "sketch")])
def test_plural_and_capital_folders_are_read(tmp_path: Path, photo: str, sketch: str) -> None:
    names = [name.replace("photo", photo).replace("sketch", sketch) for name in FLAT]
    assert ids(find(make(tmp_path, *names))) == FLAT_IDS


@pytest.mark.parametrize("folder", ["256x256", "rendered_256x256/256x256", "a/b/c/d"])
def test_nested_roots_are_found_from_every_level(tmp_path: Path, folder: str) -> None:
    make(tmp_path, *in_folder(folder, tuple(in_rendering(T0))))
    for root in (tmp_path, tmp_path / folder):
        assert ids(find(root)) == FLAT_IDS


def test_the_official_layout_takes_the_plain_rendering(tmp_path: Path) -> None:
    root = make(tmp_path, *in_rendering(T0), *in_rendering(T1), *in_rendering("tx_0"))
    listing = find(root)
    assert ids(listing) == FLAT_IDS
    assert listing.layout == f"official: photo/{T0} and sketch/{T0}"
    assert listing.problems == ()


def test_without_the_plain_rendering_the_first_is_taken(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *in_rendering(T1), *in_rendering("tx_000200000000")))
    assert listing.layout == f"official: photo/{T1} and sketch/{T1}"


def test_renderings_of_photos_and_sketches_are_named_apart(tmp_path: Path) -> None:
    root = make(tmp_path, *in_rendering(T0), *in_rendering(T1))
    assert find(root, photo_rendering=T1).layout == f"official: photo/{T1} and sketch/{T0}"
    assert find(root, sketch_rendering=T1).layout == f"official: photo/{T0} and sketch/{T1}"


def test_one_side_may_be_flat_and_the_other_rendered(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *in_rendering(T0, FLAT[:2]), *FLAT[2:]))
    assert ids(listing) == FLAT_IDS
    assert listing.layout == f"mixed: photo/{T0} and sketch"


def test_an_unknown_rendering_lists_those_there(tmp_path: Path) -> None:
    root = make(tmp_path, *in_rendering(T0), *in_rendering(T1))
    with pytest.raises(DataError, match=f"no rendering 'tx_1' in .*/sketch; there are {T0}, {T1}"):
        find(root, sketch_rendering="tx_1")


def test_a_rendering_of_flat_folders_is_an_error_that_says_to_leave_it_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"no rendering '{T0}' in .*/photo; .* leave the rendering out"):
        find(make(tmp_path, *FLAT), photo_rendering=T0)


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("names", [FLAT, in_folder("256x256", tuple(in_rendering(T0)))], ids=["flat", "official"])
def test_an_archive_lists_what_its_folder_does(tmp_path: Path, form: str, names: list[str]) -> None:
    folder = make(tmp_path / "data", *names)
    archive = tmp_path / f"data.{form}"
    if form == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for name in reversed(names):
                packed.write(folder / name, name)
    else:
        with tarfile.open(archive, f"w:{form[4:]}") as packed_tar:
            packed_tar.add(folder, ".")
    assert find(archive) == find(folder)


def test_odd_names_are_kept_and_one_unicode_form_pairs_them(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9 (\u732b)", "cafe\u0301 (\u732b)"
    root = make(
        tmp_path,
        f"photo/{composed}/o \u00e9.x.jpg",
        f"sketch/{decomposed}/o e\u0301.x-12.png",
        f"sketch/{composed}/o \u00e9.x-2.png",
    )
    listing = find(root)
    assert ids(listing) == [(kind, composed, "o \u00e9.x") for kind in ("photo", "sketch", "sketch")]
    assert all((root / record.name).exists() for record in listing.records)


def test_a_photo_id_may_itself_end_in_a_number(tmp_path: Path) -> None:
    root = make(tmp_path, "photo/cat/a-1.jpg", "photo/cat/a-2.jpg", "sketch/cat/a-1.png", "sketch/cat/a-2-1.png")
    assert ids(find(root))[2:] == [("sketch", "cat", "a-1"), ("sketch", "cat", "a-2")]


def test_sketches_of_one_missing_photo_stay_together_and_are_counted(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *FLAT, "sketch/cat/gone-1.png", "sketch/cat/gone-2.png", "sketch/cat/lost.png"))
    assert ids(listing)[4:] == [*FLAT_IDS[4:], *(("sketch", "cat", name) for name in ("gone", "gone", "lost"))]
    assert listing.problems == ("cat: sketches of missing photos (3), such as sketch/cat/gone-1.png",)


def test_where_no_sketch_names_a_photo_each_is_an_id_of_its_own(tmp_path: Path) -> None:
    root = make(tmp_path, "photo/cat/x.jpg", "photo/cat/y.jpg", "sketch/cat/cat-1.png", "sketch/cat/cat-2.png")
    listing = find(root)
    assert ids(listing)[2:] == [("sketch", "cat", "cat-1"), ("sketch", "cat", "cat-2")]
    assert listing.problems == ("no sketch is named after a photo: which photo it shows is unknown",)


def test_categories_that_lack_one_kind_are_named(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *FLAT, "photo/dog/a.jpg", "photo/dog/b.jpg", "sketch/owl/a-1.png"))
    assert listing.problems == (
        "categories with photos but no sketches (1): dog",
        "categories with sketches but no photos (1): owl",
    )


def test_a_category_of_one_photo_is_named(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *FLAT, "photo/dog/a.jpg", "sketch/dog/a-1.png"))
    assert listing.problems == ("categories with a single photo, which is never held out (1): dog",)


def test_many_names_are_cut_short(tmp_path: Path) -> None:
    names = [f"photo/c{n:02}/{photo}.jpg" for n in range(12) for photo in "ab"]
    (problem,) = find(make(tmp_path, *FLAT, *names)).problems
    assert (
        problem
        == "categories with photos but no sketches (12): " + ", ".join(f"c{n:02}" for n in range(10)) + " and 2 more"
    )


def test_files_that_are_no_images_are_named_and_left_out(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *FLAT, "photo/cat/notes.txt", "photo/README", "sketch/cat/a.svg", "sketch/.hidden"))
    assert ids(listing) == FLAT_IDS
    assert listing.problems == (
        "photo: files in category folders that are not images (1): cat/notes.txt",
        "sketch: files in category folders that are not images (1): cat/a.svg",
    )


def test_images_outside_category_folders_are_named_and_left_out(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *FLAT, "photo/stray.jpg", "photo/cat/deep/c.jpg"))
    assert ids(listing) == FLAT_IDS
    assert listing.problems == ("photo: images outside category folders, left out (2): cat/deep/c.jpg, stray.jpg",)


def test_a_photo_id_that_is_there_twice_is_named(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *FLAT, "photo/cat/a.png"))
    assert [record.name for record in listing.records[:2]] == ["photo/cat/a.jpg", "photo/cat/a.png"]
    assert listing.problems == ("cat: 2 photos have the id a; sketches count as drawn from the first",)


def test_of_two_datasets_the_upper_is_read_and_the_other_named(tmp_path: Path) -> None:
    listing = find(make(tmp_path, *in_folder("big/small"), *in_folder("b"), *in_folder("a")))
    assert listing.layout == "flat: a/photo and a/sketch"
    assert listing.problems == ("photos and sketches are also in b, big/small; left out",)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [],
            r"no photo/ \(or photos/\) and sketch/ \(or sketches/\) folders with files .* side by side in .*; name the",
        ),
        (FLAT[:2], "there is only photo; name the folder"),
        (["x/photo/cat/a.jpg", "y/sketch/cat/a-1.png"], "there is only x/photo, y/sketch; name the folder"),
        (["cat/a.jpg", "dog/b.jpg"], "side by side in"),
        (["photo/cat/a.txt", *FLAT[2:]], r"no images in .*/photo; looked for <category>/<image> with .*\.jpg"),
        ([*FLAT[:2], "sketch/a-1.png"], r"no images in .*/sketch; looked for"),
    ],
    ids=["empty", "no sketches", "not siblings", "no kinds", "no photo is an image", "sketches in no category"],
)
def test_a_source_without_both_kinds_says_what_was_looked_for(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        find(make(tmp_path, *names))


def test_the_error_of_an_archive_names_the_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as packed:
        packed.writestr("photo/cat/a.txt", "")
        packed.writestr("sketch/cat/a-1.png", "")
    with pytest.raises(DataError, match=r"no images in .*data\.zip/photo"):
        find(tmp_path / "data.zip")


SAMPLE = Path(__file__).parents[2] / "../shared/sketchy-sample"


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of the Sketchy Database is not here")
def test_the_sample_of_the_sketchy_database_is_read_whole() -> None:
    listing = find(SAMPLE)
    photos = {(r.category, r.photo_id) for r in listing.records if r.kind == "photo"}
    sketches = [r for r in listing.records if r.kind == "sketch"]
    assert (len(photos), len(sketches)) == (3721, 7721)
    assert len({r.category for r in listing.records}) == 125
    assert all((r.category, r.photo_id) in photos for r in sketches)
    assert listing.problems == ()
