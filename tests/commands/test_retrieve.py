import pytest
from PIL import Image, ImageOps

from sketchy.commands import retrieve
from sketchy.errors import ImageError, StorageError
from sketchy.talk import Silent


@pytest.fixture
def sketch(dataset):
    return dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png"


def test_the_default_gallery_is_the_test_photos(trained, sketch, dataset):
    found = retrieve.run(sketch, k=5, checkpoint=trained / "tiny" / "best.pth")
    assert [hit.rank for hit in found.results] == [1, 2, 3, 4, 5]
    distances = [hit.distance for hit in found.results]
    assert distances == sorted(distances)
    assert all(hit.path.startswith(str(dataset)) and hit.category in hit.path for hit in found.results)


def test_a_folder_of_photos_is_searched(trained, sketch, dataset):
    folder = dataset / "256x256" / "photo" / "tx_000000000000" / "disc"
    found = retrieve.run(sketch, k=100, checkpoint=trained / "tiny" / "best.pth", gallery=folder)
    assert len(found.results) == 10
    assert {hit.category for hit in found.results} == {None}


@pytest.mark.parametrize(("name", "kind"), [("sheet.png", "PNG"), ("sheet.jpg", "JPEG")])
def test_a_contact_sheet_is_saved(trained, sketch, tmp_path, name, kind):
    retrieve.run(sketch, k=4, checkpoint=trained / "tiny" / "best.pth", save=tmp_path / name)
    with Image.open(tmp_path / name) as sheet:
        assert sheet.format == kind
        assert sheet.width > 5 * 160


def test_the_contact_sheet_never_replaces_the_sketch(trained, sketch, tmp_path):
    mine = tmp_path / "s.png"
    mine.write_bytes(sketch.read_bytes())
    (tmp_path / "link.png").symlink_to(mine)
    for save in (mine, tmp_path / "link.png"):
        with pytest.raises(StorageError, match=r"would replace the sketch .*s.png; choose another name"):
            retrieve.run(mine, k=2, checkpoint=trained / "tiny" / "best.pth", save=save)
    assert mine.read_bytes() == sketch.read_bytes()


def test_a_sheet_that_cannot_be_written_is_refused_before_the_work(sketch, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*sheet.png: .*file is a file"):
        retrieve.run(sketch, k=2, checkpoint=tmp_path / "never-read.pth", save=tmp_path / "file" / "sheet.png")


def test_a_photo_that_goes_before_it_is_drawn_is_named(trained, sketch, tmp_path):
    photo = tmp_path / "photos" / "a.png"
    photo.parent.mkdir()
    Image.new("RGB", (20, 20)).save(photo)

    class Remover(Silent):
        def say(self, message):
            photo.unlink(missing_ok=True)

    with pytest.raises(ImageError, match=r"cannot put .*a.png on the contact sheet: no such file; run again"):
        retrieve.run(
            sketch,
            k=1,
            checkpoint=trained / "tiny" / "best.pth",
            gallery=photo.parent,
            save=tmp_path / "sheet.png",
            talk=Remover(),
        )
    assert not (tmp_path / "sheet.png").exists()


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
        retrieve.run(tmp_path / f"{name}.png", k=8, checkpoint=trained / "tiny" / "best.pth").results
        for name in ("plain", "form")
    )
    assert [hit.path for hit in other] == [hit.path for hit in plain]
    assert [hit.distance for hit in other] == pytest.approx([hit.distance for hit in plain], abs=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.touch(), "empty"),
        (lambda path: Image.new("L", (300, 300), 255).save(path), "blank"),
        (lambda path: path.write_text("<svg xmlns='x'/>"), "SVG"),
    ],
)
def test_a_sketch_that_cannot_be_used_is_named_with_the_reason(trained, tmp_path, make, message):
    make(tmp_path / "s.png")
    with pytest.raises(ImageError, match=rf"cannot use .*s.png as a sketch: .*{message}.*; give a drawing"):
        retrieve.run(tmp_path / "s.png", k=3, checkpoint=trained / "tiny" / "best.pth")
