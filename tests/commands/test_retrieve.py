import pytest
from PIL import Image

from sketchy.commands import retrieve
from sketchy.errors import ImageError


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
