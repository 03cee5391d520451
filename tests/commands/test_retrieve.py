import os
import shutil
import threading
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from typer.testing import CliRunner

from sketchy.cli import app
from sketchy.commands import index, retrieve
from sketchy.errors import CheckpointError, GalleryError, ImageError, StorageError, UnknownWordError
from sketchy.results import Advice
from sketchy.retrieval.contact_sheet import EDGE
from sketchy.retrieval.index import Index
from sketchy.retrieval.query import Extras
from sketchy.retrieval.search import Request
from sketchy.retrieval.store.base import Where


@pytest.fixture
def sketch(dataset):
    return dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png"


def test_the_default_gallery_is_the_test_photos(trained, sketch, dataset):
    found = retrieve.run([sketch], Request(5), checkpoint=trained / "tiny" / "best.pth")
    assert len(found.results) == 5
    distances = [hit.distance for hit in found.results]
    assert distances == sorted(distances)
    assert all(hit.path.startswith(str(dataset)) and hit.category in hit.path for hit in found.results)


def test_a_folder_of_photos_is_searched(trained, sketch, dataset):
    folder = dataset / "256x256" / "photo" / "tx_000000000000" / "disc"
    found = retrieve.run([sketch], Request(100), checkpoint=trained / "tiny" / "best.pth", gallery=str(folder))
    assert len(found.results) == 10
    assert {hit.category for hit in found.results} == {"disc"}


def test_the_photos_found_are_copied_to_a_folder(trained, sketch, dataset, tmp_path, logged):
    found = retrieve.run(
        [sketch], Request(3), checkpoint=trained / "tiny" / "best.pth", collect_in=(tmp_path / "out", "copy")
    )
    assert len(list((tmp_path / "out").iterdir())) == len(found.results) == 3
    assert f"copied 3 photos to {tmp_path / 'out'}" in logged.messages


def test_a_file_in_place_of_the_folder_is_refused_before_the_work(sketch, tmp_path):
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(StorageError, match="it is a file; name a folder"):
        retrieve.run([sketch], Request(3), checkpoint=tmp_path / "none.pth", collect_in=(tmp_path / "out", "link"))


@pytest.mark.parametrize(("name", "kind"), [("sheet.png", "PNG"), ("sheet.jpg", "JPEG")])
def test_a_contact_sheet_is_saved(trained, sketch, tmp_path, name, kind):
    retrieve.run([sketch], Request(4), checkpoint=trained / "tiny" / "best.pth", save=tmp_path / name)
    with Image.open(tmp_path / name) as sheet:
        assert sheet.format == kind
        assert sheet.width > 5 * 160


def test_photos_on_a_sheet_bear_their_names_where_they_have_no_category(
    trained, sketch, dataset, tmp_path, monkeypatch
):
    photos = dataset / "256x256" / "photo" / "tx_000000000000" / "disc"
    (tmp_path / "trip").mkdir()
    shutil.copy(photos / "p1.jpg", tmp_path / "trip" / "IMG_1.jpg")
    rows = []
    monkeypatch.setattr(
        "sketchy.commands.retrieve.contact_sheet", lambda drawn: rows.extend(drawn) or Image.new("L", (1, 1))
    )
    best = trained / "tiny" / "best.pth"
    retrieve.run([sketch], Request(1), checkpoint=best, gallery=str(tmp_path / "trip"), save=tmp_path / "sheet.png")
    [(_, [tile])] = rows
    assert tile.caption.startswith("1  IMG_1.jpg\n")


def test_a_sketch_may_come_through_a_pipe_and_still_be_on_the_sheet(trained, sketch, tmp_path, monkeypatch):
    checkpoint = trained / "tiny" / "best.pth"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(sketch.read_bytes(),))
    writer.start()
    found = [
        retrieve.run([sketch], Request(4), checkpoint=checkpoint),
        retrieve.run([pipe], Request(4), checkpoint=checkpoint, save=tmp_path / "sheet.png"),
    ]
    writer.join()
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(sketch.read_bytes())))
    found.append(retrieve.run([Path("-")], Request(4), checkpoint=checkpoint, save=tmp_path / "again.png"))
    assert found[0].results == found[1].results == found[2].results
    assert (tmp_path / "sheet.png").exists()
    assert (tmp_path / "again.png").exists()


def test_the_contact_sheet_never_replaces_the_sketch(trained, sketch, tmp_path):
    mine = tmp_path / "s.png"
    mine.write_bytes(sketch.read_bytes())
    (tmp_path / "link.png").symlink_to(mine)
    for save in (mine, tmp_path / "link.png"):
        with pytest.raises(StorageError, match=r"would replace the query .*s.png; choose another name"):
            retrieve.run([mine], Request(2), checkpoint=trained / "tiny" / "best.pth", save=save)
    assert mine.read_bytes() == sketch.read_bytes()


@pytest.mark.parametrize("gallery", ["folder", "index", "test photos"])
def test_the_contact_sheet_never_replaces_a_photo_of_the_gallery(trained, sketch, dataset, tmp_path, gallery):
    best = trained / "tiny" / "best.pth"
    photos = dataset / "256x256" / "photo" / "tx_000000000000"
    if gallery == "test photos":
        named, photo = None, Path(retrieve.run([sketch], Request(1), checkpoint=best).results[0].path)
    else:
        shutil.copytree(photos, tmp_path / "photos")
        named, photo = tmp_path / "photos", tmp_path / "photos" / "disc" / "p1.jpg"
    if gallery == "index":
        index.run([named], str(tmp_path / "index"), best)
        named = tmp_path / "index"
    before = photo.read_bytes()
    (tmp_path / "link.jpg").symlink_to(photo)
    (tmp_path / "folder").symlink_to(photo.parent)
    for save in (photo, tmp_path / "link.jpg", tmp_path / "folder" / photo.name):
        with pytest.raises(StorageError, match=r"is a photo of .* and would be replaced; choose another"):
            retrieve.run([sketch], Request(1), checkpoint=best, gallery=named and str(named), save=save)
    assert photo.read_bytes() == before
    for _ in range(2):  # an earlier sheet may be replaced
        retrieve.run([sketch], Request(1), checkpoint=best, gallery=named and str(named), save=tmp_path / "sheet.jpg")


def test_a_sheet_that_cannot_be_written_is_refused_before_the_work(sketch, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*sheet.png: .*file is a file"):
        retrieve.run([sketch], Request(2), checkpoint=tmp_path / "never-read.pth", save=tmp_path / "file" / "sheet.png")


def test_a_photo_that_goes_before_it_is_drawn_is_a_grey_tile_and_named(trained, sketch, tmp_path, monkeypatch, logged):
    photo = tmp_path / "photos" / "a.png"
    photo.parent.mkdir()
    Image.new("RGB", (20, 20)).save(photo)

    image = Index.image

    def too_late(self, path):
        photo.unlink()
        return image(self, path)

    monkeypatch.setattr(Index, "image", too_late)
    best, sheet = trained / "tiny" / "best.pth", tmp_path / "sheet.png"
    found = retrieve.run([sketch], Request(1), checkpoint=best, gallery=str(photo.parent), save=sheet)
    assert [hit.path for hit in found.results] == [str(photo)]
    assert logged.messages[-1] == f"cannot show {photo} on the contact sheet: no such file"
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.getpixel((sheet.width - 100, 80)) == EDGE


def drawn(sketch, form):
    """The same drawing as users bring it."""
    ink = Image.open(sketch).convert("L").resize((300, 300))
    black = ImageOps.invert(ink)
    if form == "transparent":
        return Image.merge("LA", (Image.new("L", ink.size, 0), black)), {}
    if form == "white on transparent":
        return Image.merge("LA", (Image.new("L", ink.size, 255), black)), {}
    if form == "inverted":
        return black, {}
    turned = Image.Exif()
    turned[0x112] = 6
    return ink.rotate(90, expand=True), {"exif": turned}


@pytest.mark.parametrize("form", ["transparent", "white on transparent", "inverted", "turned by EXIF"])
def test_a_drawing_finds_the_same_however_it_is_saved(trained, sketch, tmp_path, form):
    Image.open(sketch).convert("L").resize((300, 300)).save(tmp_path / "plain.png")
    image, options = drawn(sketch, form)
    image.save(tmp_path / "form.png", **options)
    plain, other = (
        retrieve.run([tmp_path / f"{name}.png"], Request(8), checkpoint=trained / "tiny" / "best.pth").results
        for name in ("plain", "form")
    )
    assert [hit.path for hit in other] == [hit.path for hit in plain]
    assert [hit.distance for hit in other] == pytest.approx([hit.distance for hit in plain], abs=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file; give a drawing as PNG or JPEG"),
        (lambda path: path.touch(), "empty file; give a drawing as PNG or JPEG"),
        (lambda path: Image.new("L", (300, 300), 255).save(path), "blank: .*; draw larger, or with darker lines"),
        (lambda path: path.write_text("<svg xmlns='x'/>"), "is SVG; export it as PNG first"),
    ],
)
def test_a_sketch_that_cannot_be_used_is_named_with_the_reason(trained, tmp_path, make, message):
    make(tmp_path / "s.png")
    with pytest.raises(ImageError, match=rf"cannot use .*s.png as a (sketch|query): .*{message}$"):
        retrieve.run([tmp_path / "s.png"], Request(3), checkpoint=trained / "tiny" / "best.pth")


def test_a_line_is_searched_for_with_a_warning(trained, tmp_path, logged):
    line = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(line).line((20, 20, 180, 180), fill=0, width=5)
    line.save(tmp_path / "line.png")
    found = retrieve.run([tmp_path / "line.png"], Request(3), checkpoint=trained / "tiny" / "best.pth")
    assert (len(found.results), found.advice) == (3, Advice.KEEP_DRAWING)
    assert "the sketch is only a dot or a line; draw more" in logged.messages


def test_the_first_photos_are_shown_where_that_is_asked_for(trained, photos, sketch, tmp_path):
    shown = []
    best = trained / "tiny" / "best.pth"
    retrieve.run([sketch], Request(12), best, str(photos), save=tmp_path / "sheet.png", show=shown.append)
    (picture,) = shown
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert picture.width == sheet.width
        assert picture.height < sheet.height  # two rows of photos, not three


def test_hits_have_a_score_that_never_rises(trained, sketch):
    found = retrieve.run([sketch], Request(8), checkpoint=trained / "tiny" / "best.pth")
    scores = [hit.score for hit in found.results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)


def test_limits_leave_out_what_is_far_or_unlikely(trained, sketch):
    best = trained / "tiny" / "best.pth"
    every = retrieve.run([sketch], Request(8), checkpoint=best).results
    near = retrieve.run([sketch], Request(8, max_distance=every[3].distance), checkpoint=best).results
    assert near == every[:4]
    likely = retrieve.run([sketch], Request(8, min_score=every[2].score), checkpoint=best).results
    assert likely == tuple(hit for hit in every if hit.score >= every[2].score)
    assert retrieve.run([sketch], Request(8, max_distance=0), checkpoint=best).results == ()


def test_photos_of_one_category_are_found(trained, sketch):
    request = Request(8, Where(categories=("bar",)))
    found = retrieve.run([sketch], request, checkpoint=trained / "tiny" / "best.pth").results
    assert [hit.category for hit in found] == ["bar", "bar"]


def test_a_photo_finds_photos_like_it_but_not_itself_and_without_scores(trained, photos):
    photo = photos / "disc" / "p2.jpg"
    best = trained / "tiny" / "best.pth"
    found = retrieve.run([photo], Request(40), checkpoint=best, kind="photo", gallery=str(photos))
    assert len(found.results) == 39
    assert (found.results[0].category, found.results[0].score, found.kind) == ("disc", None, "photo")
    assert str(photo) not in [hit.path for hit in found.results]
    with pytest.raises(CheckpointError, match="no calibrated score; only a drawing as query has one; use --max-dist"):
        retrieve.run([photo], Request(3, min_score=0.5), checkpoint=best, kind="photo")


def test_what_a_query_is_taken_for_is_told_and_can_be_overridden(trained, sketch, tmp_path, logged):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    best = trained / "tiny" / "best.pth"
    assert retrieve.run([sketch], Request(3), checkpoint=best).kind == "sketch"
    assert not any("taken for" in line for line in logged.messages)
    assert retrieve.run([tmp_path / "photo.png"], Request(3), checkpoint=best).kind == "photo"
    told = f"taken for a photo: {tmp_path / 'photo.png'}; --kind sketch takes it for a drawing"
    assert logged.messages.count(told) == 1
    assert retrieve.run([tmp_path / "photo.png"], Request(3), checkpoint=best, kind="sketch").kind == "sketch"
    assert logged.messages.count(told) == 1


def test_words_and_examples_are_a_query_with_or_without_a_drawing(named_checkpoint, sketch, photos, tmp_path):
    run = partial(retrieve.run, request=Request(8), checkpoint=named_checkpoint, gallery=str(photos))
    found = run([], extras=Extras(text="kitten"), save=tmp_path / "sheet.png")
    assert len(found.results) == 8
    assert (found.query, found.kind) == ("kitten", None)
    assert (tmp_path / "sheet.png").exists()
    photo = str(photos / "disc" / "p1.jpg")
    found = run([sketch], extras=Extras(text=["cookie"], like=[photo]))
    assert found.results[0].category == "disc"
    assert found.query == f"{sketch} + cookie + {photo}"
    assert photo not in [hit.path for hit in found.results]


def test_an_unknown_word_is_refused_before_the_gallery_is_opened(named_checkpoint):
    with pytest.raises(UnknownWordError, match="'lion' is not known by name; try cat"):
        retrieve.run([], Request(8), named_checkpoint, "nowhere", extras=Extras(text="lion"))


def test_several_sketches_are_one_query(trained, dataset):
    folder = dataset / "256x256" / "sketch" / "tx_000000000000" / "disc"
    best = trained / "tiny" / "best.pth"
    two = [folder / "p1-1.png", folder / "p1-2.png"]
    alone = [retrieve.run([sketch], Request(1), checkpoint=best).results[0].distance for sketch in two]
    together = retrieve.run(two, Request(1), checkpoint=best)
    assert together.query == f"{two[0]} + {two[1]}"
    assert together.results[0].distance <= max(alone) + 0.2
    same = retrieve.run([two[0], two[0]], Request(1), checkpoint=best).results[0]
    assert same.distance == pytest.approx(alone[0], abs=1e-4)


def test_a_least_score_needs_a_finished_run(trained, sketch):
    with pytest.raises(CheckpointError, match=r"last.pth has none, only best.pth of a finished run does"):
        retrieve.run([sketch], Request(3, min_score=0.5), checkpoint=trained / "tiny" / "last.pth")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (Where(("Bar",)), "no photo is of the category 'Bar'; try bar"),
        (Where(("squares", "bars")), "category 'squares'; try square and no photo is of the category 'bars'; try bar"),
        (Where(("zebra",)), "no photo is of the category 'zebra'; try bar, cross, disc, square"),
        (Where(path_glob="nowhere/*"), "no path matches 'nowhere/*'"),
        (Where(name="beach"), "no file name matches 'beach'; `*` stands for any characters, as in '*beach*'"),
        (Where(name="*.heic"), "no file name matches '*.heic'; `*` stands for any characters, as in '*.png'"),
        (Where(("bar",), "disc/*"), "no photo passes all these filters together"),
    ],
)
def test_filters_that_no_photo_fits_are_told_with_the_nearest_categories(trained, sketch, where, message):
    with pytest.raises(GalleryError) as raised:
        retrieve.run([sketch], Request(3, where), checkpoint=trained / "tiny" / "best.pth")
    assert message in str(raised.value)


def test_one_of_several_categories_that_there_is_not_is_told_beside_the_photos(trained, sketch, logged):
    best = trained / "tiny" / "best.pth"
    found = retrieve.run([sketch], Request(99, Where(("bar", "discs"))), checkpoint=best)
    assert {hit.category for hit in found.results} == {"bar"}
    assert "no photo is of the category 'discs'; try disc" in logged.messages
    assert not any("all of it follows" in line for line in logged.messages)


@pytest.fixture
def unused(trained, sketch, photos, tmp_path, monkeypatch):
    """Lines about files that are not searched, of a search of a folder of photos with two of them."""
    monkeypatch.setenv("SKETCHY_CACHE", str(tmp_path / "cache"))
    shutil.copytree(photos / "disc", tmp_path / "disc")
    (tmp_path / "disc" / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "disc" / "a.psd").write_bytes(b"x")
    words = ["retrieve", sketch, "--gallery", tmp_path / "disc", "--checkpoint", trained / "tiny" / "best.pth"]

    def search(*more: object) -> list[str]:
        ended = CliRunner().invoke(app, [str(word) for word in [*words, *more]])
        assert ended.exit_code == 0, ended.stderr
        return [line for line in ended.stderr.splitlines() if not line.startswith(("searched", "the gallery"))]

    return search


BROKEN = "disc/broken.jpg: not an image in a known format"
AS_BEFORE = "files not searched, as before: 1 skipped, 1 left out; -v lists them"


def test_files_that_are_not_searched_are_named_once(unused, tmp_path):
    assert unused() == [f"skipping {tmp_path}/{BROKEN}", "left out: 1 .psd; -v lists them"]
    assert unused() == unused("--k", 3) == unused("--json") == [AS_BEFORE]


def test_all_files_that_are_not_searched_are_named_when_asked(unused, tmp_path):
    unused()
    all_of_them = [f"leaving out {tmp_path}/disc/a.psd: .psd", f"skipping {tmp_path}/{BROKEN}", "left out: 1 .psd"]
    assert unused("-v") == unused("-v") == all_of_them
