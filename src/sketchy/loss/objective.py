"""What is minimised: the loss on categories, and weighted terms beside it."""

from typing import Literal, NamedTuple

from torch import Tensor, nn

from sketchy.loss.batch import Outcome


class Labels(NamedTuple):
    """What the images of a batch show.

    Attributes:
        category: (B,) int64.
        instance: (B,) int64: of a photo its own number, of a sketch that of the photo it traces, -1 if there is none.
    """

    category: Tensor
    instance: Tensor


class Term(NamedTuple):
    """A loss beside the main one; `labels` says by which labels it tells same from different."""

    weight: float
    loss: nn.Module
    labels: Literal["category", "instance"]


class Objective(nn.Module):
    """Sums losses.

    Args:
        main: on categories, weight 1; its statistics are the run's.
        terms: by name, what is added.
    """

    def __init__(self, main: nn.Module, terms: dict[str, Term]) -> None:
        super().__init__()
        self.main = main
        self.weights = {name: (term.weight, term.labels) for name, term in terms.items()}
        self.terms = nn.ModuleDict({name: term.loss for name, term in terms.items()})

    def forward(self, sketch: Tensor, photo: Tensor, sketch_labels: Labels, photo_labels: Labels) -> Outcome:
        """Return the weighted sum for (B, D) embeddings; a term's own statistics come as `<term>_<statistic>`."""
        total, stats = self.main(sketch, photo, sketch_labels.category, photo_labels.category)
        stats = dict(stats)
        for name, term in self.terms.items():
            weight, by = self.weights[name]
            outcome = term(sketch, photo, getattr(sketch_labels, by), getattr(photo_labels, by))
            total = total + weight * outcome.loss
            stats[f"{name}_loss"] = outcome.loss.detach()
            stats |= {f"{name}_{statistic}": value for statistic, value in outcome.stats.items()}
        return Outcome(total, stats)
