import numpy as np
import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.model.encoder import build_encoder
from sketchy.retrieval.embed import embed_pixels

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
