from types import SimpleNamespace

import pytest
import torch

from sketchy.evaluation.embedding_map import POINTS, WIDTH, embedding_map, principal_axes


def evaluated(gallery, gallery_categories, queries, query_categories):
    return SimpleNamespace(
        gallery=torch.tensor(gallery),
        gallery_categories=torch.tensor(gallery_categories),
        queries=SimpleNamespace(embeddings=torch.tensor(queries), categories=torch.tensor(query_categories)),
    )


def test_the_first_axis_has_the_largest_variance_and_a_sign_of_its_own():
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([0.1, 3.0, 1.0, 0.1], dtype=torch.float64)
    embeddings = torch.randn(500, 4, generator=generator, dtype=torch.float64) * spread
    points, explained = principal_axes(embeddings)
    for axis, column in enumerate((1, 2)):
        assert torch.corrcoef(torch.stack([points[:, axis], embeddings[:, column]]))[0, 1] > 0.99
    assert explained == pytest.approx(10 / 10.02, abs=0.01)
    again, _ = principal_axes(embeddings.flip(0))
    assert torch.allclose(again.flip(0), points)


def test_photos_are_dots_and_sketches_crosses_on_a_map_as_wide_as_their_spread():
    found = embedding_map(
        evaluated([[0.0, 0.0], [4.0, 1.0]], [0, 2], [[4.0, 0.0], [9.0, 9.0]], [2, 1]),
        torch.tensor([True, False]),
        ("ant", "bee", "cat"),
    )
    assert [cluster.name for cluster in found.clusters] == ["ant", "cat"]
    assert found.clusters[0].sketches == ""
    assert found.clusters[1].photos.count("h0") == found.clusters[1].sketches.count("v5") == 1
    assert (found.shown, found.total) == (3, 3)
    assert found.explained == pytest.approx(1)
    assert 0 < found.height < WIDTH
    assert len({cluster.hue for cluster in found.clusters}) == 2


def test_of_very_many_images_a_part_is_shown_evenly():
    gallery = [[float(number), 0.0, 1.0] for number in range(2 * POINTS)]
    labels = [number // POINTS for number in range(2 * POINTS)]
    found = embedding_map(evaluated(gallery, labels, [[0.0, 0.0, 1.0]], [0]), torch.tensor([True]), ("ant", "bee"))
    assert (found.shown, found.total) == (POINTS + 1, 2 * POINTS + 1)
    assert [cluster.photos.count("h0") for cluster in found.clusters] == [POINTS // 2, POINTS // 2]


def test_equal_embeddings_are_no_error():
    found = embedding_map(evaluated([[1.0, 1.0]] * 2, [0, 0], [[1.0, 1.0]], [0]), torch.tensor([True]), ("ant",))
    assert (found.height, found.explained) == (0, 0.0)
