import numpy as np
import pytest
import torch
from PIL import Image

from sketchy.config_file import parse_config
from sketchy.errors import ImageError
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.preprocess import build_preprocess
from sketchy.retrieval.embed import FOLD_FROM, Embedder, embed_pixels

CONFIG = parse_config({"image": {"size": 16}, "model": {"embedding_size": 8, "dropout": 0.5}}, "test")


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return build_encoder(CONFIG)


PIXELS = np.random.default_rng(0).integers(0, 256, (9, 1, 16, 16), dtype=np.uint8)


def test_batches_do_not_change_embeddings(encoder, monkeypatch):
    whole = embed_pixels(encoder, PIXELS, "photo")
    monkeypatch.setattr("sketchy.retrieval.embed.BATCH_SIZE", 2)
    torch.testing.assert_close(embed_pixels(encoder, PIXELS, "photo"), whole)


def test_rows_choose_and_order(encoder):
    whole = embed_pixels(encoder, PIXELS, "photo")
    torch.testing.assert_close(embed_pixels(encoder, PIXELS, "photo", np.array([4, 0, 4])), whole[[4, 0, 4]])


def test_no_rows_give_no_embeddings(encoder):
    assert embed_pixels(encoder, PIXELS, "photo", np.array([], dtype=np.int64)).shape == (0, 8)


def test_embedding_draws_nothing_and_leaves_the_mode_and_the_statistics(encoder):
    encoder.train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    state = torch.get_rng_state()
    first, second = embed_pixels(encoder, PIXELS, "photo"), embed_pixels(encoder, PIXELS, "photo")
    assert torch.equal(first, second)
    assert encoder.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_a_saved_encoder_embeds_as_the_one_that_was_saved(encoder, tmp_path):
    Image.fromarray(PIXELS[0, 0]).save(tmp_path / "a.png")
    checkpoint = Checkpoint(CONFIG, ("a",), 1, {}, encoder.state_dict())
    alive = Embedder(encoder, build_preprocess(CONFIG.image), torch.device("cpu"))
    rebuilt = Embedder.of(checkpoint, torch.device("cpu"))
    first, second = (e.embed_image(tmp_path / "a.png", "photo") for e in (alive, rebuilt))
    assert torch.equal(first, second)


def test_files_and_pixels_give_the_same_embedding(encoder, tmp_path):
    embedder = Embedder(encoder, build_preprocess(CONFIG.image), torch.device("cpu"))
    Image.fromarray(PIXELS[1, 0]).save(tmp_path / "a.png")
    found = embedder.embed_files([tmp_path / "a.png"], "photo")
    torch.testing.assert_close(found.embeddings, embed_pixels(encoder, PIXELS[1:2], "photo"))


def test_a_blank_sketch_is_refused(encoder, tmp_path):
    embedder = Embedder(encoder, build_preprocess(CONFIG.image), torch.device("cpu"))
    Image.new("L", (40, 40), 255).save(tmp_path / "blank.png")
    with pytest.raises(ImageError, match="blank"):
        embedder.embed_image(tmp_path / "blank.png", "sketch")


def test_many_images_take_a_faster_network_that_says_the_same():
    torch.manual_seed(0)
    config = parse_config({"image": {"size": 32, "color": "rgb"}, "model": {"backbone": "mobilenet_v2"}}, "test")
    embedder = Embedder(build_encoder(config), build_preprocess(config.image), torch.device("cpu"))
    few, many = embedder.encoder_for(FOLD_FROM - 1), embedder.encoder_for(FOLD_FROM)
    assert few is embedder.encoder
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in few.modules())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in many.modules())
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    torch.testing.assert_close(
        embed_pixels(many, pixels, "photo"), embed_pixels(few, pixels, "photo"), atol=1e-4, rtol=0
    )
