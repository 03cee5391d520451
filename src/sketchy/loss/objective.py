"""The objective: the loss on categories plus weighted terms."""

from typing import Literal, NamedTuple

from torch import Tensor, nn

from sketchy.loss.batch import EmbeddedBatch, LossOutput


class Labels(NamedTuple):
    """The labels of the images of a batch.

    Attributes:
        category: Categories, shape (B,), int64.
        instance: Shape (B,), int64: the index of the photo, or of the photo that a sketch traces; -1 if there is none.
    """

    category: Tensor
    instance: Tensor


class Term(NamedTuple):
    """A weighted loss beside the main one.

    `labels` are the labels that define its positives; with "mixed" they are the categories of sketches and the indices
    of photos.
    """

    weight: float
    loss: nn.Module
    labels: Literal["category", "instance", "mixed"]


class Objective(nn.Module):
    """The sum of a main loss and weighted terms.

    Args:
        main: Loss on categories, with weight 1; its statistics keep their names.
        terms: Terms to add, by name.
        related: Mask of the pairs of categories that no loss on categories tells apart, shape (C, C), bool, as in
            `EmbeddedBatch`; None for none.
    """

    related: Tensor | None

    def __init__(self, main: nn.Module, terms: dict[str, Term], related: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("related", related, persistent=False)
        self.main = main
        self.weights = {name: (term.weight, term.labels) for name, term in terms.items()}
        self.terms = nn.ModuleDict({name: term.loss for name, term in terms.items()})

    def forward(self, sketch: Tensor, photo: Tensor, sketch_labels: Labels, photo_labels: Labels) -> LossOutput:
        """Return the weighted sum for (B, D) embeddings; a term's statistics are named `<term>_<statistic>`."""
        of_category = EmbeddedBatch(sketch, photo, sketch_labels.category, photo_labels.category, self.related)
        total, stats = self.main(of_category)
        stats = dict(stats)
        for name, term in self.terms.items():
            weight, by = self.weights[name]
            of_sketches = sketch_labels.instance if by == "instance" else sketch_labels.category
            of_photos = photo_labels.category if by == "category" else photo_labels.instance
            output = term(
                EmbeddedBatch(sketch, photo, of_sketches, of_photos, self.related if by == "category" else None)
            )
            total = total + weight * output.loss
            stats[f"{name}_loss"] = output.loss.detach()
            stats |= {f"{name}_{statistic}": value for statistic, value in output.stats.items()}
        return LossOutput(total, stats)
