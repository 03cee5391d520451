import math

import pytest
import torch

from sketchy.distance import paired, pairwise

UNIT_NOISE = 1e-3  # what float32 leaves between equal rows of length 1


def rows(count: int, size: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(one.tolist(), other.tolist(), strict=True)))


def test_pairwise_agrees_with_torch_and_with_a_loop():
    a, b = rows(5, seed=1), rows(4, seed=2)
    found = pairwise(a, b)
    assert found.shape == (5, 4)
    torch.testing.assert_close(found, torch.cdist(a, b))
    for i in range(5):
        for j in range(4):
            assert found[i, j].item() == pytest.approx(slow_distance(a[i], b[j]))


def test_paired_is_the_diagonal_of_pairwise():
    a, b = rows(6, seed=1), rows(6, seed=2)
    found = paired(a, b)
    assert found.shape == (6,)
    torch.testing.assert_close(found, pairwise(a, b).diagonal())
    assert found[3].item() == pytest.approx(slow_distance(a[3], b[3]))


def test_three_four_five():
    a, b = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert pairwise(a, b).tolist() == [[5.0]]
    assert paired(a, b).tolist() == [5.0]


@pytest.mark.parametrize("distance", [pairwise, paired])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(distance, dtype):
    assert distance(rows(3).to(dtype), rows(3, seed=9).to(dtype)).dtype == dtype


def test_identical_rows_are_at_distance_zero_when_paired():
    a = rows(50, 128).float()
    assert paired(a, a.clone()).tolist() == [0.0] * 50


def test_identical_unit_rows_are_nearly_at_distance_zero_pairwise():
    a = torch.nn.functional.normalize(rows(50, 128).float(), dim=1)
    assert pairwise(a, a).diagonal().max() < UNIT_NOISE
    assert (pairwise(a, a) >= 0).all()


def test_the_gradient_at_distance_zero_is_zero():
    a = rows(3).requires_grad_()
    b = a.detach().clone().requires_grad_()
    paired(a, b).sum().backward()
    assert a.grad.abs().max() == 0
    assert b.grad.abs().max() == 0


def test_the_pairwise_gradient_is_finite_where_some_distances_are_zero():
    whole = torch.tensor([[1.0, 2.0], [3.0, 5.0], [1.0, 2.0]])  # integers: the distance comes out as exactly 0
    a, b = whole.clone().requires_grad_(), whole.clone().requires_grad_()
    distance = pairwise(a, b)
    assert distance[0, 2] == 0
    distance.sum().backward()
    toward = 2 * (torch.tensor([3.0, 5.0]) - torch.tensor([1.0, 2.0])) / math.sqrt(13)
    torch.testing.assert_close(a.grad[1], toward)
    torch.testing.assert_close(a.grad[0], -toward / 2)


@pytest.mark.parametrize("distance", [pairwise, paired])
def test_gradients_agree_with_finite_differences(distance):
    assert torch.autograd.gradcheck(distance, (rows(4).requires_grad_(), rows(4, seed=3).requires_grad_()))


def test_large_values_keep_their_relative_precision():
    a, b = 1e6 * rows(5, 64, seed=1).float(), 1e6 * rows(5, 64, seed=2).float()
    torch.testing.assert_close(pairwise(a, b), torch.cdist(a.double(), b.double()).float(), rtol=1e-5, atol=0)
    torch.testing.assert_close(paired(a, b), torch.cdist(a.double(), b.double()).diagonal().float(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("distance", [pairwise, paired])
def test_an_embedding_with_nan_is_never_near(distance):
    broken = torch.tensor([[float("nan"), 0.0]])
    assert distance(broken, torch.zeros(1, 2)).isnan().all()


@pytest.mark.parametrize("shape", [(3, 1), (1, 4), (4,), (3, 5), (2, 4)])
def test_paired_refuses_shapes_that_would_broadcast(shape):
    with pytest.raises(ValueError, match=r"shapes \(3, 4\) and"):
        paired(torch.zeros(3, 4), torch.zeros(shape))


def test_distances_of_no_rows_are_empty():
    assert pairwise(torch.zeros(0, 4), torch.zeros(3, 4)).shape == (0, 3)
    assert paired(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0,)
