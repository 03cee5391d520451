from types import SimpleNamespace

import pytest
import torch

from sketchy.evaluation.charts import LEVELS, Bar, Focus, Mistake, category_bars, confusion, heat_map

NAMES = ("ant", "bee", "cat", "dog")


def evaluated(*, queries, gallery, nearest, relevant=None, per_category=None):
    """What the charts read of a details; without `relevant` all of the nearest photos could be right."""
    relevant = relevant or [len(nearest[0])] * len(queries)
    return SimpleNamespace(
        queries=SimpleNamespace(categories=torch.tensor(queries)),
        gallery_categories=torch.tensor(gallery),
        scores=SimpleNamespace(nearest=torch.tensor(nearest), relevant=torch.tensor(relevant)),
        evaluation=SimpleNamespace(per_category=per_category),
    )


def focused(counted):
    return Focus(instance=False, counted=torch.tensor(counted), value=torch.zeros(len(counted)), key="map_all")


def test_bars_come_best_first_and_equal_ones_by_name():
    rows = {"ant": 0.2, "bee": 0.5, "cat": 0.5}
    details = evaluated(
        queries=[2, 0, 0, 1],
        gallery=[0, 1, 2, 2],
        nearest=[[0]] * 4,
        per_category={name: {"map_all": share, "photos": 7} for name, share in rows.items()},
    )
    assert category_bars(details, focused([True] * 4), NAMES) == [
        Bar("bee", 0.5, 1, 7),
        Bar("cat", 0.5, 1, 7),
        Bar("ant", 0.2, 2, 7),
    ]


def test_a_category_without_a_counted_query_has_no_bar():
    details = evaluated(
        queries=[0, 0, 3], gallery=[0], nearest=[[0]] * 3, per_category={"ant": {"map_all": 1.0, "photos": 1}}
    )
    assert category_bars(details, focused([True, False, False]), NAMES) == [Bar("ant", 1.0, 1, 1)]


def test_confusion_is_the_share_of_each_category_among_the_nearest():
    details = evaluated(queries=[0, 0, 2], gallery=[0, 2, 3, 0], nearest=[[0, 3], [1, 0], [2, 1]])
    present, shares = confusion(details, torch.tensor([True, True, True]))
    assert present.tolist() == [0, 2, 3]
    assert shares.tolist() == [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 0]]


def test_a_perfect_ranking_of_few_photos_has_no_mistakes():
    details = evaluated(queries=[0, 1], gallery=[0, 0, 1], nearest=[[1, 0, 2], [2, 0, 1]], relevant=[2, 1])
    _, shares = confusion(details, torch.tensor([True, True]))
    assert shares.tolist() == [[1, 0], [0, 1]]


def test_confusion_leaves_out_queries_that_do_not_count():
    details = evaluated(queries=[0, 1, 0], gallery=[0, 2], nearest=[[0, 1], [1, 0], [1, 0]])
    present, shares = confusion(details, torch.tensor([True, False, False]))
    assert present.tolist() == [0, 2]
    assert shares.tolist() == [[0.5, 0.5], [0, 0]]


def test_every_share_above_zero_is_drawn_once_at_its_level():
    shares = torch.tensor([[1.0, 0.02, 0.0], [0.021, 0.1, 0.7], [0.0, 0.0, 0.0]], dtype=torch.float64)
    heat = heat_map(torch.tensor([0, 1, 3]), shares, NAMES)
    drawn = {LEVELS[level]: path for level, path in enumerate(heat.paths) if path}
    assert drawn == {
        1.0: "M0 0h1v1h-1z",
        0.02: "M1 0h1v1h-1z",
        0.05: "M0 1h1v1h-1z",
        0.1: "M1 1h1v1h-1z",
        0.7: "M2 1h1v1h-1z",
    }
    assert heat.names == ("ant", "bee", "dog")


def test_a_row_names_what_was_found_most_and_nothing_where_nothing_was():
    shares = torch.tensor([[0.25, 0.75], [0.0, 0.0]], dtype=torch.float64)
    assert heat_map(torch.tensor([0, 1]), shares, NAMES).rows == ((("bee", 0.75), ("ant", 0.25)), ())


def test_mistakes_are_the_largest_shares_off_the_diagonal_and_ties_keep_their_order():
    shares = torch.tensor([[0.5, 0.25, 0.25], [0.6, 0.4, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    assert heat_map(torch.tensor([0, 1, 2]), shares, NAMES).mistakes == (
        Mistake("bee", "ant", 0.6),
        Mistake("ant", "bee", 0.25),
        Mistake("ant", "cat", 0.25),
    )


def test_at_most_fifteen_mistakes_are_listed():
    heat = heat_map(torch.arange(6), torch.full((6, 6), 1 / 6, dtype=torch.float64), tuple("abcdef"))
    assert len(heat.mistakes) == 15


@pytest.mark.parametrize(("count", "cell"), [(2, 36), (40, 16), (125, 9)])
def test_cells_are_large_for_few_categories_and_never_too_small_to_name(count, cell):
    names = tuple(str(number) for number in range(count))
    assert heat_map(torch.arange(count), torch.eye(count, dtype=torch.float64), names).cell == cell
