import numpy as np
import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.inference.torch_engine import FOLD_FROM, TorchEngine, embed_pixels
from sketchy.model.encoder import build_encoder

CONFIG = parse_config({"image": {"size": 16}, "model": {"embedding_size": 8, "dropout": 0.5}}, "test")


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return build_encoder(CONFIG)


PIXELS = np.random.default_rng(0).integers(0, 256, (9, 1, 16, 16), dtype=np.uint8)


def test_batches_do_not_change_embeddings(encoder):
    whole = embed_pixels(encoder, PIXELS, "photo")
    torch.testing.assert_close(embed_pixels(encoder, PIXELS, "photo", batch_size=2), whole)


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


def test_many_images_use_a_faster_network_with_equal_embeddings():
    torch.manual_seed(0)
    config = parse_config({"image": {"size": 32, "color": "rgb"}, "model": {"backbone": "mobilenet_v2"}}, "test")
    engine = TorchEngine(build_encoder(config, load_pretrained=False).eval(), torch.device("cpu"))
    few, many = engine.encoder_for(FOLD_FROM - 1), engine.encoder_for(FOLD_FROM)
    assert few is engine.encoder
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in few.modules())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in many.modules())
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    torch.testing.assert_close(
        embed_pixels(many, pixels, "photo"), embed_pixels(few, pixels, "photo"), atol=1e-4, rtol=0
    )
