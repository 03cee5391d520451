import numpy as np
import pytest
import torch
from PIL import Image

from sketchy.config import parse_config
from sketchy.errors import GalleryError
from sketchy.image import build_preprocess
from sketchy.model.encoder import build_encoder
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery, embed_folder, find_images


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    torch.manual_seed(0)
    config = parse_config({"image": {"size": 16, "color": "rgb"}, "model": {"embedding_size": 8}}, "test")
    return Embedder(build_encoder(config), build_preprocess(config.image), torch.device("cpu"))


def gallery_of(embeddings: torch.Tensor) -> Gallery:
    names = tuple(f"{row}.jpg" for row in range(len(embeddings)))
    return Gallery("test", embeddings, names, (None,) * len(names), lambda row: b"")


def save(path, colour=0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 12), (colour, 90, 200)).save(path)


@pytest.mark.parametrize("k", [1, 3, 50, 60])
def test_search_finds_what_a_slow_loop_finds(k):
    generator = torch.Generator().manual_seed(0)
    photos, query = torch.randn(50, 8, generator=generator), torch.randn(8, generator=generator)
    slow = sorted((float((photo - query).norm()), row) for row, photo in enumerate(photos))[:k]
    found = gallery_of(photos).search(query, k)
    assert [row for row, _ in found] == [row for _, row in slow]
    assert [distance for _, distance in found] == pytest.approx([distance for distance, _ in slow], abs=1e-5)


def test_a_photo_equal_to_the_query_comes_first_at_distance_0():
    photos = torch.randn(1000, 128, generator=torch.Generator().manual_seed(1)) * 30
    assert gallery_of(photos).search(photos[617], 1) == [(617, 0.0)]


def test_equal_distances_keep_gallery_order():
    photos = torch.ones(40, 64).mul(1 / 3)
    photos[7] = 0
    found = gallery_of(photos).search(torch.zeros(64), 6)
    assert [row for row, _ in found] == [7, 0, 1, 2, 3, 4]


def test_nearly_equal_distances_are_ordered_by_their_exact_values():
    """The rough distance is off by more than these differ."""
    photos = torch.full((20, 256), 100.0, dtype=torch.float32)
    photos[:, 0] += torch.linspace(0.2, 0.01, 20)
    found = gallery_of(photos).search(torch.full((256,), 100.0), 5)
    assert [row for row, _ in found] == [19, 18, 17, 16, 15]


def test_hits_count_ranks_from_1():
    gallery = Gallery("g", torch.zeros(2, 3), ("a.jpg", "b.jpg"), ("cat", None), lambda row: b"")
    first, second = gallery.hits([(1, 0.25), (0, 0.5)])
    assert (first.rank, first.path, first.distance, first.category) == (1, "b.jpg", 0.25, None)
    assert (second.rank, second.path, second.category) == (2, "a.jpg", "cat")


def test_a_folder_is_walked_and_broken_files_are_skipped_with_a_reason(tmp_path, embedder):
    save(tmp_path / "top.png")
    save(tmp_path / "cats" / "Ünïcode name.jpg", 40)
    save(tmp_path / ".hidden" / "x.png")
    (tmp_path / "cats" / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "cats" / "empty.png").touch()
    (tmp_path / "cats" / "notes.txt").write_text("not a photo")
    gallery = embed_folder(tmp_path, embedder)
    assert gallery.paths == (str(tmp_path / "top.png"), str(tmp_path / "cats" / "Ünïcode name.jpg"))
    assert gallery.categories == (None, "cats")
    assert gallery.embeddings.shape == (2, 8)
    assert [item.path for item in gallery.skipped] == [str(tmp_path / "cats" / n) for n in ("broken.jpg", "empty.png")]
    assert all(item.reason for item in gallery.skipped)


def test_the_sketches_of_a_dataset_are_not_photos(dataset):
    found = list(find_images(dataset))
    assert len(found) == 40
    assert all(path.suffix == ".jpg" for path in found)


def test_a_folder_given_as_sketches_is_walked(dataset):
    assert len(list(find_images(dataset / "256x256" / "sketch"))) == 80


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder of photos"),
        (lambda path: path.mkdir(), "no images below"),
        (lambda path: (path.mkdir(), (path / "a.jpg").write_bytes(b"x")), "none of 1 images below .* can be read"),
    ],
)
def test_a_gallery_without_photos_is_an_error(tmp_path, embedder, make, message):
    make(tmp_path / "photos")
    with pytest.raises(GalleryError, match=message):
        embed_folder(tmp_path / "photos", embedder)


def test_more_files_than_are_decoded_ahead_keep_their_order(tmp_path, embedder, monkeypatch):
    monkeypatch.setattr("sketchy.retrieval.embed.BATCH_SIZE", 3)
    monkeypatch.setattr("sketchy.retrieval.embed.DECODED_AHEAD", 4)
    for number in range(11):
        save(tmp_path / f"{number:02}.png", 20 * number)
    gallery = embed_folder(tmp_path, embedder)
    alone = [embedder.embed_image(tmp_path / f"{number:02}.png", "photo") for number in range(11)]
    np.testing.assert_allclose(gallery.embeddings, torch.stack(alone), atol=1e-5)
