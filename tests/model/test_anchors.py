import pytest
import torch
import torch.nn.functional as F

from sketchy.model.anchors import AnchorAttention

ANCHORS = F.normalize(torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 1, 0]]), dim=1)


def embeddings(count: int = 5, size: int = 5) -> torch.Tensor:
    return F.normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(0)), dim=1)


def test_it_is_attention_with_the_anchors_as_keys_and_values():
    given = embeddings()
    found = AnchorAttention(ANCHORS, weight=0.5, scale=8.0)(given)
    for before, after in zip(given, found, strict=True):
        unit = before[:3] / before[:3].norm()
        attended = F.scaled_dot_product_attention(unit[None], ANCHORS, ANCHORS, scale=8.0)[0]
        moved = unit + 0.5 * attended
        torch.testing.assert_close(after[:3], moved / moved.norm() * before[:3].norm())


def test_the_length_of_the_first_dimensions_and_the_other_dimensions_stay():
    given = embeddings()
    found = AnchorAttention(ANCHORS, weight=2.0, scale=20.0)(given)
    assert torch.equal(found[:, 3:], given[:, 3:])
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(found[:, :3].norm(dim=1), given[:, :3].norm(dim=1))


def test_two_embeddings_near_one_anchor_come_nearer_and_two_near_different_ones_do_not():
    attention = AnchorAttention(ANCHORS, weight=1.0, scale=20.0)
    near = F.normalize(torch.tensor([[1.0, 0.4, 0.3], [1.0, 0.3, -0.5], [0.4, 1.0, 0.3]]), dim=1)
    before, after = torch.cdist(near, near), torch.cdist(attention(near), attention(near))
    assert after[0, 1] < 0.7 * before[0, 1]
    assert after[0, 2] > before[0, 2]


def test_an_embedding_without_length_stays_finite():
    found = AnchorAttention(ANCHORS, weight=1.0, scale=20.0)(torch.zeros(1, 4))
    assert torch.equal(found, torch.zeros(1, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_anchors_may_be_kept_in_16_bit(dtype):
    found = AnchorAttention(ANCHORS.to(dtype), weight=0.5, scale=8.0)(embeddings())
    torch.testing.assert_close(found, AnchorAttention(ANCHORS, 0.5, 8.0)(embeddings()), atol=1e-3, rtol=0)
