"""The Python interface of a model: all types of images, and invalid ones."""

import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sketchy.config_file import parse_config
from sketchy.errors import ImageError
from sketchy.inference.torch_engine import TorchEngine, describe
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.retrieval.model import Model

TREE = {"image": {"size": 32, "color": "rgb"}, "model": {"backbone": "mobilenet_v2", "embedding_size": 8}}


def by_torch(checkpoint: Checkpoint) -> Model:
    return Model(describe(checkpoint), TorchEngine(checkpoint.encoder(), torch.device("cpu")), Path("a.pth"))


@pytest.fixture(scope="module")
def model():
    """A network with batch norms that was never trained."""
    torch.manual_seed(0)
    config = parse_config(TREE, "test")
    weights = build_encoder(config, load_pretrained=False).state_dict()
    return by_torch(Checkpoint(config, ("cat",), 1, {}, weights))


@pytest.fixture
def drawing() -> Image.Image:
    image = Image.new("L", (60, 40), 255)
    ImageDraw.Draw(image).ellipse((10, 5, 45, 35), outline=0, width=3)
    return image


@pytest.fixture
def file(drawing, tmp_path) -> Path:
    drawing.save(tmp_path / "drawing.png")
    return tmp_path / "drawing.png"


def test_a_model_has_its_documented_attributes(model):
    assert (model.source, model.categories, model.calibration, model.probes) == (Path("a.pth"), ("cat",), None, None)
    assert model.embedding_size == 8
    assert len(bytes.fromhex(model.fingerprint)) == 32


@pytest.mark.parametrize("kind", ["sketch", "photo"])
def test_all_forms_of_an_image_give_the_same_embedding(model, drawing, file, kind):
    forms = [file, str(file), file.read_bytes(), drawing, np.asarray(drawing), np.asarray(drawing.convert("RGB"))]
    clear = drawing.convert("RGBA")
    clear.putalpha(drawing.point(lambda value: 255 - value))
    embeddings = model.embed([*forms, np.asarray(clear), clear], kind)
    assert (embeddings.shape, embeddings.dtype) == ((8, 8), np.float32)
    np.testing.assert_allclose(embeddings, embeddings[[0] * 8], atol=2e-3)
    np.testing.assert_array_equal(model.embed(file, kind), model.embed([file], kind))


def test_pillow_images_are_turned_upright_as_files_are(model, drawing, tmp_path):
    turned = Image.Exif()
    turned[0x112] = 6
    drawing.rotate(90, expand=True).save(tmp_path / "turned.png", exif=turned)
    with Image.open(tmp_path / "turned.png") as opened:
        found = model.embed([tmp_path / "turned.png", opened, drawing], "photo")
    np.testing.assert_allclose(found, found[[2, 2, 2]], atol=1e-5)


def test_no_images_give_no_embeddings(model):
    assert model.embed([]).shape == (0, 8)
    with pytest.raises(ValueError, match="no image to search for; give at least one"):
        model.query([], "sketch")


def test_an_image_of_a_query_is_taken_for_what_it_is_unless_told_otherwise(model, drawing, file):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    for image, kind in ((drawing, "sketch"), (file, "sketch"), (file.read_bytes(), "sketch"), (photo, "photo")):
        embedded, found, _ = model.query([image])
        assert found == kind
        np.testing.assert_array_equal(embedded, model.embed(image, kind)[0])
    assert model.query([drawing], "photo")[1] == "photo"
    assert model.query([drawing, photo])[1] == "photo"
    with pytest.raises(ImageError, match="cannot use image 0 as a query: empty file; give a drawing as PNG or JPEG"):
        model.query([b""])


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("nowhere.png", ImageError, "cannot use nowhere.png as a sketch: no such file; give a drawing"),
        (b"", ImageError, "cannot use image 0 as a sketch: empty"),
        (b"no image", ImageError, "cannot use image 0 as a sketch: not an image"),
        (
            Image.new("L", (30, 30), 255),
            ImageError,
            "image 0 as a sketch: .*blank: .*; draw larger, or with darker lines$",
        ),
        (Image.new("1", (20000, 9000)), ImageError, "too large: 20000x9000 pixels, .* megapixels; give a smaller one$"),
        (b"<svg></svg>", ImageError, "image 0 as a sketch: is SVG; export it as PNG first$"),
        (Image.new("L", (0, 30)), ImageError, "image 0 as a sketch: has no pixels"),
        (
            np.zeros((3, 9, 9), np.uint8),
            ValueError,
            r"an array of shape \(3, 9, 9\) and type uint8 is not an image; give",
        ),
        (np.zeros((2, 9, 9, 3), np.uint8), ValueError, "is not an image"),
        (np.zeros((9, 9), np.float32), ValueError, "type float32 is not an image"),
        (np.zeros((0, 9), np.uint8), ValueError, "is not an image"),
        (np.zeros(9, np.uint8), ValueError, "is not an image"),
        ([None], TypeError, "NoneType is not an image; give a path, bytes, a Pillow image or an array"),
        ([3], TypeError, "int is not an image"),
    ],
)
def test_an_invalid_image_raises_a_one_line_error(model, image, error, message):
    with pytest.raises(error, match=message) as raised:
        model.embed(image)
    assert "\n" not in str(raised.value)


def test_the_image_that_cannot_be_used_is_named(model, drawing, file):
    with pytest.raises(ImageError, match="cannot use image 2 as a sketch"):
        model.embed([file, drawing, b"x"])
    with pytest.raises(ValueError, match="kind is 'poem'; give 'sketch' or 'photo'"):
        model.embed(file, "poem")


def test_files_that_cannot_be_read_are_skipped_with_the_reason(model, file, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"x")
    paths = [file, tmp_path / "broken.png", file]
    found = model.embed_files(paths, "photo")
    assert found.paths == (file, file)
    assert [(item.path, item.reason) for item in found.skipped] == [
        (str(tmp_path / "broken.png"), "not an image in a known format")
    ]
    np.testing.assert_allclose(found.embeddings, model.embed([file, file], "photo"), atol=1e-5)


def test_several_images_of_one_query_are_averaged(model, drawing):
    one, other = drawing, drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    both = model.embed([one, other])
    mean, kind, _ = model.query([one, other])
    np.testing.assert_allclose(mean, both.mean(0), atol=1e-6)
    assert kind == "sketch"


def test_threads_get_the_embeddings_of_their_own_kind(drawing):
    """A network with norms per domain needs the kind of image before each batch."""
    torch.manual_seed(0)
    config = parse_config(TREE | {"model": TREE["model"] | {"domain_norm": True}}, "test")
    encoder = build_encoder(config, load_pretrained=False)
    for index, buffer in enumerate(encoder.buffers()):
        if buffer.is_floating_point():
            buffer += 0.1 * (index % 7)
    model = by_torch(Checkpoint(config, (), 1, {}, encoder.state_dict()))
    content = BytesIO()
    drawing.save(content, "PNG")
    expected = {kind: model.embed(content.getvalue(), kind) for kind in ("sketch", "photo")}
    wrong = []

    def ask(kind):
        for _ in range(10):
            if not np.array_equal(model.embed(content.getvalue(), kind), expected[kind]):
                wrong.append(kind)

    threads = [threading.Thread(target=ask, args=(kind,)) for kind in ("sketch", "photo") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Busy:
    """An engine whose forward pass ends only when another one is under way, and returns the first pixel."""

    name, batch_size, workers = "busy", 1, 2

    def __init__(self) -> None:
        self.together = threading.Barrier(2, timeout=10)

    def embed(self, pixels, kind):
        self.together.wait()
        return np.repeat(pixels[:, :1, 0, 0], 8, axis=1).astype(np.float32)


def test_as_many_batches_are_embedded_at_once_as_the_engine_has_workers(model):
    images = [np.full((3, 32, 32), index, np.uint8) for index in range(6)]
    found = Model(model._description, Busy(), Path("a.pth")).embed_prepared(iter(images), 10, "photo")
    np.testing.assert_array_equal(found[:, 0], range(6))
