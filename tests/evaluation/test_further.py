import numpy as np
import pytest
import torch

from sketchy.dataset.further import Further, FurtherImages
from sketchy.evaluation.evaluate import EvaluationDetails
from sketchy.evaluation.further import evaluate_further
from sketchy.evaluation.protocol import Queries

NAMES = ("ant", "bee", "cat")


class Encoder(torch.nn.Linear):
    """Embeds an image as its first two pixels."""

    embedding_size = 2

    def __init__(self):
        super().__init__(1, 1)

    def forward(self, pixels, kind):
        return pixels.flatten(1)[:, :2].float()


def source(name, *images):
    """A source that holds out all but its first image; an image is its label and its embedding."""
    labels, pixels = zip(*images, strict=True)
    array = np.array(pixels, np.uint8).reshape(-1, 1, 1, 2)
    rows = np.arange(len(images))
    return FurtherImages(name, array, np.array(labels), rows[:1], rows[1:])


@pytest.fixture
def details():
    """Photos of an ant and a bee, and a sketch of an ant."""
    queries = Queries(torch.tensor([[0.0, 0.0]]), torch.tensor([0]), torch.tensor([0]))
    gallery = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    return EvaluationDetails(None, None, queries, None, gallery, torch.tensor([0, 1]))


def test_held_out_sketches_ask_for_the_photos_of_the_dataset(details):
    sketches = source("mine", (0, (0, 0)), (0, (1, 0)), (1, (2, 0)), (2, (9, 9)))
    (found,) = evaluate_further(Encoder(), details, Further(NAMES, sketches=(sketches,)))
    assert found.protocol["source"] == "sketches of mine"
    assert (found.protocol["queries"], found.protocol["gallery"]) == (2, 2)  # no cat is in the gallery
    assert found.metrics["map_all"] == pytest.approx(0.75)  # the ant is found at rank 1, the bee at rank 2
    assert found.metrics["p_at_1"] == 0.5
    assert found.chance["p_at_1"] == 0.5
    assert "instance_r_at_1" not in found.metrics


def test_held_out_photos_are_a_gallery_for_the_sketches_of_the_dataset(details):
    photos = source("b", (0, (0, 0)), (0, (3, 0)), (0, (9, 0)), (1, (0, 0)))
    (found,) = evaluate_further(Encoder(), details, Further(NAMES, photos=(photos,)))
    assert found.protocol["source"] == "photos of b"
    assert (found.protocol["queries"], found.protocol["gallery"]) == (1, 2)  # no sketch is of a bee
    assert found.metrics["map_all"] == 1


def test_a_source_that_shares_no_category_is_left_out(details):
    other = source("other", (0, (0, 0)), (2, (0, 0)))
    assert evaluate_further(Encoder(), details, Further(NAMES, (), (other,), (other,))) == ()
