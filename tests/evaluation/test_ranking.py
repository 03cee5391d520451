import base64
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from sketchy.evaluation.ranking import RECALL_POINTS, RandomOrder, Ranking, rank, rank_of

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "fixtures" / "retrieval_metrics.npz"


def ranked_by(relevant: torch.Tensor) -> Ranking:
    """A ranking of which only the relevance by rank matters."""
    return Ranking(relevant, torch.zeros(len(relevant), dtype=torch.int64))


def ranking(*relevance: str) -> torch.Tensor:
    """Ranked relevance from strings such as "0110", one a query."""
    return torch.tensor([[letter == "1" for letter in row] for row in relevance])


def random_rankings(queries: int = 40, total: int = 57, share: float = 0.3, seed: int = 0) -> torch.Tensor:
    return torch.rand(queries, total, generator=torch.Generator().manual_seed(seed)) < share


def slow_average_precision(row: list[bool]) -> float:
    hits, precisions = 0, []
    for place, relevant in enumerate(row, start=1):
        if relevant:
            hits += 1
            precisions.append(hits / place)
    return sum(precisions) / len(precisions) if precisions else 0.0


def slow_average_precision_at(row: list[bool], k: int, strict: bool) -> float:
    hits, precisions = 0, 0.0
    for place, relevant in enumerate(row[:k], start=1):
        if relevant:
            hits += 1
            precisions += hits / place
    return precisions / max(1, min(k, sum(row)) if strict else hits)


def slow_interpolated_precision(row: list[bool]) -> list[float]:
    """At recall i/100, the best precision at any rank that finds at least i/100 of the relevant."""
    total, curve = sum(row), []
    found = list(itertools.accumulate(row))
    for point in range(101):
        reached = [hits / rank for rank, hits in enumerate(found, 1) if hits * 100 >= point * total and hits > 0]
        curve.append(max(reached, default=0.0))
    return curve


def test_a_rank_is_by_rising_distance():
    assert rank(torch.tensor([[0.3, 0.1, 0.2], [1.0, 2.0, 0.0]])).tolist() == [[1, 2, 0], [2, 0, 1]]


def test_ties_are_ranked_in_gallery_order():
    distance = torch.tensor([0.5, 0.2, 0.5, 0.2]).repeat(1, 500)
    order = rank(distance)[0].tolist()
    assert order == sorted(range(2000), key=lambda row: (distance[0, row].item(), row))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rank_is_that_of_a_stable_argsort(dtype):
    generator = torch.Generator().manual_seed(0)
    distance = torch.randint(0, 50, (20, 400), generator=generator).to(dtype) / 7 * 1e-3
    distance[0, ::3] = float("inf")
    distance[1, ::5] = 1e30
    distance[2, ::2] = 1e-40
    assert torch.equal(rank(distance), distance.argsort(dim=1, stable=True))
    assert torch.equal(rank(distance.T), distance.T.argsort(dim=1, stable=True))


def test_a_broken_embedding_is_ranked_last():
    assert rank(torch.tensor([[float("nan"), 5.0, float("inf"), 1.0]])).tolist() == [[3, 1, 2, 0]]


def test_average_precision_by_hand():
    found = ranked_by(ranking("1010", "0001", "1100", "0000")).average_precision()
    assert found.tolist() == pytest.approx([(1 + 2 / 3) / 2, 1 / 4, 1, 0])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.97])
def test_average_precision_agrees_with_a_loop(share):
    ranked = random_rankings(share=share)
    found = ranked_by(ranked).average_precision()
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([slow_average_precision(row) for row in ranked.tolist()], abs=1e-7)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("k", [1, 5, 56, 57, 100])
def test_average_precision_of_the_first_k_agrees_with_a_loop(k, strict):
    ranked = torch.cat([random_rankings(share=share) for share in (0.02, 0.3, 0.97)])
    found = ranked_by(ranked).average_precision(k, strict=strict)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([slow_average_precision_at(row, k, strict) for row in ranked.tolist()])


def test_what_the_first_k_miss_costs_in_the_strict_form_alone():
    ranked = ranking("1001", "0011", "1111")
    assert ranked_by(ranked).average_precision(2, strict=False).tolist() == [1, 0, 1]
    assert ranked_by(ranked).average_precision(2, strict=True).tolist() == [1 / 2, 0, 1]


def test_average_precision_agrees_with_sklearn():
    generator = torch.Generator().manual_seed(1)
    distance = torch.rand(20, 80, generator=generator)
    relevant = torch.rand(20, 80, generator=generator) < 0.2
    ranked = relevant.gather(1, rank(distance))
    expected = [average_precision_score(y, -d) for y, d in zip(relevant.numpy(), distance.numpy(), strict=True)]
    assert ranked_by(ranked).average_precision().tolist() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("k", [1, 5, 57, 100])
def test_precision_is_hits_over_k_even_beyond_the_gallery(k):
    ranked = random_rankings()
    expected = [sum(row[:k]) / k for row in ranked.tolist()]
    found = ranked_by(ranked).precision(k)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(expected)


def test_five_photos_of_which_all_are_relevant_have_a_precision_at_ten_of_one_half():
    assert ranked_by(ranking("11111")).precision(10).tolist() == [0.5]


def test_no_relevant_photo_scores_zero_everywhere():
    ranked = ranking("00000")
    assert ranked_by(ranked).average_precision().tolist() == [0]
    assert ranked_by(ranked).precision(3).tolist() == [0]
    assert ranked_by(ranked).interpolated_precision().tolist() == [[0.0] * RECALL_POINTS]


def test_a_gallery_of_one_photo():
    ranked = ranking("1", "0")
    assert ranked_by(ranked).average_precision().tolist() == [1, 0]
    assert ranked_by(ranked).precision(1).tolist() == [1, 0]
    assert ranked_by(ranked).interpolated_precision().mean(1).tolist() == [1, 0]
    assert rank_of(rank(torch.zeros(2, 1)), torch.zeros(2, dtype=torch.int64)).tolist() == [1, 1]
    assert RandomOrder(torch.tensor([1, 0]), 1).average_precision().tolist() == [1, 0]


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_interpolated_precision_agrees_with_a_loop(share):
    ranked = torch.cat([random_rankings(20, share=share), random_rankings(3, 230, share, seed=2)[:, :57]])
    found = ranked_by(ranked).interpolated_precision()
    assert found.shape == (23, RECALL_POINTS)
    for curve, row in zip(found.tolist(), ranked.tolist(), strict=True):
        assert curve == pytest.approx(slow_interpolated_precision(row), abs=1e-6)


def test_interpolated_precision_never_rises_and_starts_at_the_best_precision():
    curve = ranked_by(ranking("01101000")).interpolated_precision()[0]
    assert curve[0].item() == pytest.approx(2 / 3)
    assert curve[-1].item() == pytest.approx(3 / 5)
    assert (curve.diff() <= 0).all()


def test_recall_points_of_a_large_category_are_exact():
    # One hit, then ever longer gaps: the precision tells the hits apart, and a point off by one hit shows.
    relevant = 20_000
    places = np.cumsum(np.arange(relevant) // 200 + 1) - 1
    ranked = torch.zeros(1, int(places[-1]) + 1, dtype=torch.bool)
    ranked[0, torch.from_numpy(places)] = True
    precision = np.arange(1, relevant + 1) / (places + 1)
    needed = [max(1, -(-point * relevant // 100)) for point in range(101)]
    expected = np.maximum.accumulate(precision[::-1])[::-1][np.array(needed) - 1]
    np.testing.assert_allclose(ranked_by(ranked).interpolated_precision()[0].numpy(), expected, rtol=2e-7)


def test_the_rank_of_a_row_counts_from_one():
    distance = torch.tensor([[0.3, 0.1, 0.2], [0.3, 0.3, 0.3]])
    order = rank(distance)
    assert rank_of(order, torch.tensor([0, 0])).tolist() == [3, 1]
    assert rank_of(order, torch.tensor([1, 2])).tolist() == [1, 3]


def test_chance_agrees_with_all_permutations_of_a_small_gallery():
    for total in range(1, 7):
        for relevant in range(1, total + 1):
            photos = [True] * relevant + [False] * (total - relevant)
            values = [slow_average_precision(list(order)) for order in itertools.permutations(photos)]
            found = RandomOrder(torch.tensor([relevant]), total).average_precision()
            assert found.item() == pytest.approx(sum(values) / len(values)), (relevant, total)


def test_chance_agrees_with_a_simulation():
    relevant, total, trials = 12, 300, 3000
    order = torch.rand(trials, total, generator=torch.Generator().manual_seed(0)).argsort(1)
    simulated = ranked_by(order < relevant).average_precision()
    expected = RandomOrder(torch.tensor([relevant]), total).average_precision().item()
    error = simulated.std().item() / trials**0.5
    assert abs(simulated.mean().item() - expected) < 3 * error
    assert error < 0.02 * expected


@pytest.mark.parametrize("strict", [True, False])
def test_chance_of_the_first_k_agrees_with_all_permutations_of_a_small_gallery(strict):
    for total, k in itertools.product(range(1, 7), range(1, 8)):
        for relevant in range(total + 1):
            photos = [True] * relevant + [False] * (total - relevant)
            values = [slow_average_precision_at(list(row), k, strict) for row in itertools.permutations(photos)]
            found = RandomOrder(torch.tensor([relevant]), total).average_precision(k, strict=strict)
            assert found.item() == pytest.approx(sum(values) / len(values)), (relevant, total, k)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("relevant", "k"), [(4, 30), (12, 30), (120, 30)])
def test_chance_of_the_first_k_agrees_with_a_simulation(relevant, k, strict):
    total, trials = 300, 4000
    order = torch.rand(trials, total, generator=torch.Generator().manual_seed(0)).argsort(1)
    simulated = ranked_by(order < relevant).average_precision(k, strict=strict)
    expected = RandomOrder(torch.tensor([relevant]), total).average_precision(k, strict=strict).item()
    error = simulated.std().item() / trials**0.5
    assert abs(simulated.mean().item() - expected) < 3 * error
    assert error < 0.05 * expected


def test_chance_of_the_first_k_is_exact_in_a_large_gallery():
    found = RandomOrder(torch.tensor([0, 1, 100_000]), 100_000).average_precision(200, strict=False)
    once = sum(1 / rank for rank in range(1, 201)) / 100_000
    assert found.tolist() == pytest.approx([0, once, 1], rel=1e-9)


def test_chance_of_a_gallery_of_relevant_photos_is_one_and_of_none_zero():
    assert RandomOrder(torch.tensor([50, 0]), 50).average_precision().tolist() == pytest.approx([1, 0])


def figures(ranked: torch.Tensor) -> dict[str, float]:
    """The figures that the oracle has and we have, as means over queries."""
    found = {"mAP@all": ranked_by(ranked).average_precision(), "R@1": ranked_by(ranked).precision(1)}
    found |= {f"P@{k}": ranked_by(ranked).precision(k) for k in (10, 100, 200)}
    for k in (10, 100, 200):
        found[f"mAP@{k} lenient, first 36 queries"] = ranked_by(ranked).average_precision(k, strict=False)
        found[f"mAP@{k} strict (divide by min(k,R))"] = ranked_by(ranked).average_precision(k, strict=True)
    found["hit@10"] = (ranked_by(ranked).precision(10) > 0).double()
    return {name: values.mean().item() for name, values in found.items()}


def test_the_figures_are_those_of_public_evaluation_code():
    oracle = json.loads((HERE / "oracle.json").read_text())
    packed = np.array([list(base64.b64decode(row)) for row in oracle["ranked"]], dtype=np.uint8)
    ranked = torch.from_numpy(np.unpackbits(packed, axis=1, count=oracle["gallery"])).bool()
    assert ranked.shape == (36, 900)
    assert sorted(set(ranked.sum(1).tolist())) == [3, 20, 60, 150, 240, 427]
    assert figures(ranked) == pytest.approx(oracle["figures"], abs=1e-8)


@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED.name} is not beside the repository")
def test_distances_of_the_public_fixture_lead_to_its_figures():
    arrays = {name: torch.from_numpy(array) for name, array in np.load(SHARED).items()}
    expected = json.loads(SHARED.with_suffix(".json").read_text())
    order = rank(arrays["distance"])
    ranked = arrays["gallery_label"][order] == arrays["query_label"][:, None]
    assert ranked[36].sum() == 0
    assert ranked_by(ranked).average_precision()[36] == 0
    found = figures(ranked[:36])
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-8)
