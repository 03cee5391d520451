import pytest
import torch

from sketchy.evaluation.protocol import SHOWN, Queries, Scores, score, summarize
from sketchy.evaluation.ranking import RECALL_POINTS, RandomOrder, Ranking

NAMES = ("ant", "bee", "cow", "dog", "elk")
CATEGORY_KEYS = {"map_all", "p_at_1", "p_at_5", "p_at_10", "p_at_100"}
ZERO_SHOT_KEYS = {"map_all", "map_at_200_lenient", "map_at_200_strict", "p_at_100", "p_at_200"}
INSTANCE_KEYS = {"instance_r_at_1", "instance_r_at_5", "instance_r_at_10"}


def scene(queries: int = 25, photos: int = 40, seed: int = 0):
    """Queries of categories 0-4, photos of 0-3: small whole numbers, so that distances are exact and often tie."""
    generator = torch.Generator().manual_seed(seed)
    gallery = torch.randint(0, 4, (photos, 3), generator=generator).float()
    sketches = torch.randint(0, 4, (queries, 3), generator=generator).float()
    instances = torch.randint(-1, photos, (queries,), generator=generator)
    instances[:3] = -1
    return Queries(sketches, torch.arange(queries) % 5, instances), gallery, torch.arange(photos) % 4


def one_line(distances: list[float], categories: list[int], instance: int = -1):
    """One query of category 0 at the origin of a line, photos at the distances."""
    queries = Queries(torch.zeros(1, 1), torch.tensor([0]), torch.tensor([instance]))
    return queries, torch.tensor(distances)[:, None], torch.tensor(categories)


def slow_order(sketch: torch.Tensor, gallery: torch.Tensor) -> list[int]:
    """Gallery rows by distance, ties by row."""
    squared = [sum((x - y) ** 2 for x, y in zip(sketch.tolist(), photo.tolist(), strict=True)) for photo in gallery]
    return sorted(range(len(gallery)), key=lambda row: (squared[row], row))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_ranks_as_the_cpu_does():
    expected, found = score(*scene()), score(*scene(), device=torch.device("cuda"))
    assert torch.equal(found.nearest, expected.nearest)
    assert all(torch.equal(found.metrics[key], values) for key, values in expected.metrics.items())


def test_scores_agree_with_a_loop_over_queries():
    queries, gallery, categories = scene()
    scores = score(queries, gallery, categories)
    for i in range(25):
        order = slow_order(queries.embeddings[i], gallery)
        relevant = [bool(categories[row] == queries.categories[i]) for row in order]
        ranks = [rank for rank, hit in enumerate(relevant, 1) if hit]
        precisions = [number / rank for number, rank in enumerate(ranks, 1)]
        assert scores.relevant[i] == len(ranks)
        assert scores.metrics["map_all"][i].item() == pytest.approx(sum(precisions) / max(len(ranks), 1), abs=1e-7)
        for k in (1, 5, 10, 100):
            assert scores.metrics[f"p_at_{k}"][i].item() == pytest.approx(sum(relevant[:k]) / k)
        instance = int(queries.instances[i])
        assert scores.instance_rank[i] == (order.index(instance) + 1 if instance >= 0 else 0)
        assert scores.nearest[i].tolist() == order[:10]
        curve = Ranking(torch.tensor([relevant]), torch.zeros(1)).interpolated_precision()[0]
        assert torch.equal(scores.curve[i], curve)


def tensors(scores: Scores) -> dict[str, torch.Tensor]:
    """Every tensor of the scores by name."""
    return {**vars(scores), **scores.metrics, "metrics": torch.empty(0)}


@pytest.mark.parametrize("elements", [1, 40, 119, 120, 10_000])
def test_chunks_change_nothing(elements):
    data = scene()
    whole = tensors(score(*data))
    for name, values in tensors(score(*data, elements)).items():
        assert torch.equal(values, whole[name]), name
        assert values.dtype == whole[name].dtype


def test_what_is_kept_of_a_query_does_not_grow_with_the_gallery():
    kept = tensors(score(*scene(20, 500), 1000)).values()
    assert sum(values.untyped_storage().nbytes() for values in kept) < 20 * 8 * (RECALL_POINTS + SHOWN + 20)


def test_the_rank_of_the_traced_photo_counts_ties_before_it():
    distances, categories = [2.0, 1.0, 1.0, 1.0, 0.5], [0, 0, 1, 0, 1]
    ranks = [score(*one_line(distances, categories, row)).instance_rank.item() for row in range(-1, 5)]
    assert ranks == [0, 5, 2, 3, 4, 1]


def test_the_nearest_are_all_there_are_in_a_small_gallery():
    assert score(*one_line([3.0, 1.0, 2.0], [0, 0, 0])).nearest.tolist() == [[1, 2, 0]]


def test_a_gallery_of_one_photo_is_found():
    data = one_line([1.0], [0], 0)
    found = summarize(score(*data), data[0], data[2], NAMES)
    assert found.metrics["map_all"] == found.metrics["p_at_1"] == found.metrics["instance_r_at_1"] == 1
    assert found.metrics["p_at_5"] == 0.2
    assert found.chance == found.metrics


@pytest.mark.parametrize(("queries", "photos"), [(0, 3), (3, 0)])
def test_nothing_to_rank_is_refused(queries, photos):
    empty = Queries(
        torch.zeros(queries, 2), torch.zeros(queries, dtype=torch.int64), torch.zeros(queries, dtype=torch.int64)
    )
    with pytest.raises(ValueError, match="no queries or no gallery"):
        score(empty, torch.zeros(photos, 2), torch.zeros(photos, dtype=torch.int64))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("all", CATEGORY_KEYS | INSTANCE_KEYS),
        ("category", CATEGORY_KEYS),
        ("instance", INSTANCE_KEYS),
        ("zero-shot-25", ZERO_SHOT_KEYS),
        ("zero-shot-21", ZERO_SHOT_KEYS),
    ],
)
def test_a_protocol_has_its_metrics_and_chance_for_each(name, keys):
    queries, gallery, categories = scene()
    found = summarize(score(queries, gallery, categories), queries, categories, NAMES, name)
    assert set(found.metrics) == set(found.chance) == keys
    assert found.protocol["name"] == name
    assert all(isinstance(value, float) for value in (found.metrics | found.chance).values())


def test_an_unknown_protocol_names_the_known_ones():
    queries, gallery, categories = scene()
    with pytest.raises(ValueError, match="all, category, instance"):
        summarize(score(queries, gallery, categories), queries, categories, NAMES, "zero-shot")


def test_the_first_200_are_averaged_in_both_forms_beside_their_chance():
    queries, gallery, categories = scene(12, 900)
    scores = score(queries, gallery, categories)
    found = summarize(scores, queries, categories, NAMES, "zero-shot-25")
    lenient, strict, hits = [], [], []
    for i in (i for i in range(12) if queries.categories[i] < 4):
        right = [bool(categories[row] == queries.categories[i]) for row in slow_order(queries.embeddings[i], gallery)]
        ranks = [rank for rank, hit in enumerate(right[:200], 1) if hit]
        precisions = sum(number / rank for number, rank in enumerate(ranks, 1))
        hits.append(len(ranks) / 200)
        lenient.append(precisions / len(ranks))
        strict.append(precisions / 200)  # of each category there are 225
    assert found.metrics["map_at_200_lenient"] == pytest.approx(sum(lenient) / len(lenient))
    assert found.metrics["map_at_200_strict"] == pytest.approx(sum(strict) / len(strict))
    assert found.metrics["p_at_200"] == pytest.approx(sum(hits) / len(hits))
    relevant = torch.tensor([225])
    for form in ("lenient", "strict"):
        chance = RandomOrder(relevant, 900).average_precision(200, strict=form == "strict").item()
        assert found.chance[f"map_at_200_{form}"] == pytest.approx(chance)
    assert found.chance["p_at_200"] == pytest.approx(0.25)


def test_queries_without_a_relevant_photo_are_left_out_and_counted():
    queries, gallery, categories = scene()
    scores = score(queries, gallery, categories)
    found = summarize(scores, queries, categories, NAMES)
    in_gallery = queries.categories < 4
    assert found.protocol["queries"] == 20
    assert found.protocol["queries_without_relevant"] == 5
    assert found.protocol["gallery"] == 40
    assert found.protocol["categories"] == 4
    assert found.metrics["map_all"] == pytest.approx(scores.metrics["map_all"][in_gallery].mean().item())
    assert found.metrics["p_at_5"] == pytest.approx(scores.metrics["p_at_5"][in_gallery].mean().item())


def test_instance_recall_is_over_the_queries_whose_photo_is_in_the_gallery():
    queries, gallery, categories = scene()
    scores = score(queries, gallery, categories)
    found = summarize(scores, queries, categories, NAMES)
    ranks = [rank for rank in scores.instance_rank.tolist() if rank > 0]
    assert len(ranks) < 25
    assert found.protocol["instance_queries"] == len(ranks)
    for k in (1, 5, 10):
        assert found.metrics[f"instance_r_at_{k}"] == pytest.approx(sum(rank <= k for rank in ranks) / len(ranks))


def test_no_traced_photo_in_the_gallery_gives_zero_recall_of_zero_queries():
    queries, gallery, categories = scene()
    queries = Queries(queries.embeddings, queries.categories, torch.full((25,), -1))
    found = summarize(score(queries, gallery, categories), queries, categories, NAMES, "instance")
    assert found.protocol["instance_queries"] == 0
    assert set(found.metrics.values()) == set(found.chance.values()) == {0.0}


def test_chance_is_what_a_random_ranking_gets():
    queries, gallery, categories = scene(2000, 30)
    noise = torch.Generator().manual_seed(5)
    queries = Queries(
        torch.randn(2000, 12, generator=noise),
        queries.categories,
        torch.randint(0, 30, (2000,), generator=noise),
    )
    gallery = torch.randn(30, 12, generator=noise)
    gallery /= gallery.norm(dim=1, keepdim=True)  # no photo is nearer to everything than another
    scores = score(queries, gallery, categories)
    for name in ("all", "zero-shot-21"):
        found = summarize(scores, queries, categories, NAMES, name)
        for key, chance in found.chance.items():
            assert found.metrics[key] == pytest.approx(chance, abs=0.03), key


def test_chance_by_hand():
    queries, gallery, categories = one_line([1.0, 2.0, 3.0, 4.0], [0, 1, 1, 0], 2)
    chance = summarize(score(queries, gallery, categories), queries, categories, NAMES).chance
    assert chance["p_at_1"] == 0.5
    assert chance["p_at_5"] == pytest.approx(2 / 5)  # all four photos lie in the first five
    assert chance["p_at_100"] == pytest.approx(2 / 100)
    assert chance["instance_r_at_1"] == 0.25
    assert chance["instance_r_at_5"] == 1
    # six equally likely rankings of two among four
    assert chance["map_all"] == pytest.approx((1 + 5 / 6 + 3 / 4 + 7 / 12 + 1 / 2 + 5 / 12) / 6)


def test_each_category_has_its_own_means():
    queries, gallery, categories = scene()
    scores = score(queries, gallery, categories)
    found = summarize(scores, queries, categories, NAMES).per_category
    assert list(found) == list(NAMES)
    for number, name in enumerate(NAMES):
        own = queries.categories == number
        assert found[name]["queries"] == 5
        assert found[name]["photos"] == (10 if number < 4 else 0)
        assert found[name]["map_all"] == pytest.approx(scores.metrics["map_all"][own].mean().item())
        assert found[name]["p_at_1"] == pytest.approx(scores.metrics["p_at_1"][own].mean().item())
        ranks = [rank for rank in scores.instance_rank[own].tolist() if rank > 0]
        assert found[name]["instance_r_at_1"] == pytest.approx(ranks.count(1) / len(ranks))


def test_the_means_of_the_categories_lead_back_to_the_whole():
    queries, gallery, categories = scene()
    found = summarize(score(queries, gallery, categories), queries, categories, NAMES)
    rows = [row for row in found.per_category.values() if row["photos"]]
    whole = sum(row["map_all"] * row["queries"] for row in rows) / sum(row["queries"] for row in rows)
    assert whole == pytest.approx(found.metrics["map_all"])


def test_a_broken_query_ranks_the_gallery_in_its_order():
    queries, gallery, categories = one_line([1.0, 2.0, 3.0], [1, 1, 0], 2)
    broken = Queries(torch.full((1, 1), float("nan")), queries.categories, queries.instances)
    scores: Scores = score(broken, gallery, categories)
    assert scores.nearest.tolist() == [[0, 1, 2]]
    assert scores.instance_rank.tolist() == [3]


def test_a_broken_photo_is_the_last_of_every_query():
    queries, gallery, categories = one_line([1.0, 2.0, 3.0], [0, 1, 1])
    gallery[0] = float("nan")
    assert score(queries, gallery, categories).nearest.tolist() == [[1, 2, 0]]
