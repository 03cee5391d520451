"""The training loop."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sketchy.dataset.augment import Augmenter, change_photos, change_sketches
from sketchy.dataset.sampler import Batch, Sampler
from sketchy.dataset.training import TrainingImages, gather_to
from sketchy.errors import Interrupted, TrainingError
from sketchy.loss.objective import Labels, Objective
from sketchy.model.backbone import load_weights
from sketchy.model.encoder import Encoder, Siamese
from sketchy.model.folding import kept_folded
from sketchy.results import EpochResult
from sketchy.runtime import generator_states, restore_generators, room_for_data
from sketchy.talk import SILENT, Talk
from sketchy.trainer.compiled import compile_network, compiler_errors_told
from sketchy.trainer.parallel import World

CHECK_EVERY = 50
"""Steps between looks at whether the loss is a number: each look makes a GPU wait."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Trainer:
    """A Siamese network, its loss and optimizer, and how far they have come.

    Args:
        siamese: on the world's device.
        loss: on the world's device.
        optimizer: over the parameters of both.
        rate: learning rate at a global step; a group of the optimizer takes its `factor` of it.
        sampler: gives the batches of an epoch.
        images: what its indices mean.
        world: the processes that train together.
        generator: what the loss and the augmenter draw from; its state is saved.
        augmenter: changes every batch; None leaves the images as they are.
        frozen: parts of the network, none within another, that do not learn and stay in evaluation mode.
        precision: of the forward pass.
        compiled: compile the network at the first step.
        clip_norm: longest gradient let through; None lets all through.
        ema: decay of the averaged encoder; None keeps none.
    """

    def __init__(  # noqa: PLR0913 - the parts of a loop, by keyword
        self,
        *,
        siamese: Siamese,
        loss: Objective,
        optimizer: Optimizer,
        rate: Callable[[int], float],
        sampler: Sampler,
        images: TrainingImages,
        world: World,
        generator: torch.Generator,
        augmenter: Augmenter | None = None,
        frozen: Sequence[nn.Module] = (),
        precision: str = "float32",
        compiled: bool = False,
        clip_norm: float | None = None,
        ema: float | None = None,
    ) -> None:
        self.siamese = siamese
        mixed = _Mixed(siamese, PRECISIONS[precision])
        if compiled:
            compile_network(mixed, world)
        self.spread = world.spread(mixed)
        self.compiled = compiled
        self.loss = loss
        self.optimizer = optimizer
        self.rate = rate
        self.sampler = sampler
        self.images = images
        self.sketches = gather_to(world.device, images.sketches, room_for_data(world.device))
        self.photos = gather_to(world.device, images.photos, room_for_data(world.device))
        self.world = world
        self.generator = generator
        self.augmenter = augmenter
        self.frozen = frozen
        self.clip_norm = clip_norm
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=precision == "float16")
        self.average = _averaged(siamese.encoder, ema) if ema else None
        self.epoch = 0  # epochs done
        self.step = 0  # steps done in the epoch under way
        self.seconds = 0.0  # spent on the epoch under way
        self.sums: dict[str, Tensor] = {}  # statistics summed over its steps

    @property
    def encoder(self) -> Encoder:
        """The encoder to judge and to save: the averaged one where there is one."""
        averaged: Encoder = self.average.module if self.average else self.siamese.encoder  # type: ignore[assignment]
        return averaged

    def run_epoch(self, stop: Callable[[], bool] = lambda: False, talk: Talk = SILENT) -> EpochResult:
        """Train to the end of the epoch under way.

        Args:
            stop: asked after every step; True on any rank ends the epoch early on all.
            talk: shows a bar over the steps.

        Returns:
            Means over the epoch of the loss and its statistics, the last learning rate, seconds and images a second.

        Raises:
            Interrupted: it was stopped; `state` continues it at the next step.
            TrainingError: the loss, or a weight, is no longer a number, or the network could not be compiled.
        """
        self.spread.train()
        started = time.perf_counter() - self.seconds
        with self._frozen_still(), compiler_errors_told() if self.compiled else nullcontext():
            self._take_steps(stop, talk, started)
        return self._close_epoch(time.perf_counter() - started)

    @contextmanager
    def _frozen_still(self) -> Iterator[None]:
        """Keep the frozen parts in evaluation mode; on a CPU they also run folded, a tenth off a step of ours.

        Not where they are compiled, which folding anew for each epoch would do again and again.
        """
        for module in self.frozen:
            module.eval()
        with kept_folded(self.frozen if self.world.device.type == "cpu" and not self.compiled else ()):
            yield

    def _take_steps(self, stop: Callable[[], bool], talk: Talk, started: float) -> None:
        """Take the steps that are left of the epoch. Raises Interrupted where it is stopped before the last."""
        unchecked: list[Tensor] = []
        with talk.bar(f"epoch {self.epoch + 1}", len(self.sampler), "step") as advance:
            advance(self.step)
            for number, batch in enumerate(self.sampler.epoch(self.epoch)):
                if number < self.step:
                    continue  # done before the run was stopped
                unchecked.append(self._train_step(batch))
                self.step += 1
                advance(1)
                stopping = self.world.any(stop()) and self.step < len(self.sampler)
                if stopping or self.step == len(self.sampler) or len(unchecked) == CHECK_EVERY:
                    self._check(unchecked)
                if stopping:
                    self.seconds = time.perf_counter() - started
                    raise Interrupted("stopped")

    def _train_step(self, batch: Batch) -> Tensor:
        """Take one step and return its loss, detached."""
        rate = self.rate(self.epoch * len(self.sampler) + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        sketches, photos = self._gather(batch)
        sketch, photo = self.spread(sketches, photos)
        loss, stats = self.loss(
            self.world.gather(sketch.float()),
            self.world.gather(photo.float()),
            self._labels(self.images.sketch_category[batch.sketches], self.images.sketch_photo[batch.sketches]),
            self._labels(self.images.photo_category[batch.photos], batch.photos),
        )
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.siamese.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update_parameters(self.siamese.encoder)
        detached: Tensor = loss.detach()
        for name, value in {"loss": detached, **stats}.items():
            self.sums[name] = self.sums.get(name, 0) + value
        return detached

    def _gather(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Bring this rank's share of the images of a batch to the device, uint8, and augment it."""
        share = self.world.share(len(batch.sketches))
        sketches, photos = self.sketches(batch.sketches[share]), self.photos(batch.photos[share])
        if self.augmenter:
            changes = self.augmenter.draw(len(batch.sketches)).share(share)
            sketches, photos = change_sketches(sketches, changes), change_photos(photos, changes)
        return sketches, photos

    def _labels(self, categories: NDArray[np.int64], instances: NDArray[np.int64]) -> Labels:
        return Labels(self._to_device(categories), self._to_device(instances))

    def _to_device(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.world.device)

    def _check(self, losses: list[Tensor]) -> None:
        """Look at the losses of the last steps, forget them, and look at the weights. Raises TrainingError."""
        finite = torch.stack(losses).isfinite().tolist()
        losses.clear()
        if not all(finite):
            raise self._diverged("the loss is not a number", self.step - len(finite) + finite.index(False) + 1)
        learnt = [*self.siamese.state_dict().values(), *self.loss.state_dict().values()]
        # Their sums are numbers where all of them are, and take a tenth of the time of looking at each.
        if not torch.stack([value.sum() for value in learnt]).isfinite().all():
            raise self._diverged("the weights are not all numbers", self.step)

    def _diverged(self, what: str, step: int) -> TrainingError:
        return TrainingError(
            f"{what}; epoch {self.epoch + 1}, step {step}; lower train.learning_rate or set train.clip_norm"
        )

    def _close_epoch(self, seconds: float) -> EpochResult:
        means = {name: float(total) / self.step for name, total in self.sums.items()}
        images = 2 * self.step * self.sampler.batch_size
        extra = {
            "learning_rate": max(group["lr"] for group in self.optimizer.param_groups),
            "seconds": seconds,
            "images_per_second": images / seconds,
        }
        self.epoch += 1
        self.step, self.seconds, self.sums = 0, 0.0, {}
        return EpochResult(self.epoch, {**means, **extra})

    def state(self) -> dict[str, Any]:
        """Return all that `restore` needs to go on bit for bit: tensors and plain types."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "sums": self.sums,
            "encoder": self.siamese.encoder.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": self.generator.get_state(),
            "generators": generator_states(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken, with the same config, data and number of processes.

        Raises:
            CheckpointError: the weights are of another network.
        """
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        self.sums = {name: value.to(self.world.device) for name, value in state["sums"].items()}
        load_weights(self.siamese.encoder, state["encoder"], "the run that is resumed")
        if self.average:
            self.average.load_state_dict(state["average"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(state["generator"])
        restore_generators(state["generators"])


class _Mixed(nn.Module):
    """Runs a network in a precision; in here, since the threads of DataParallel would else take float16 for both."""

    def __init__(self, network: Siamese, precision: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.precision = precision

    def forward(self, sketches: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(sketches.device.type, self.precision, enabled=self.precision != torch.float32):
            embedded: tuple[Tensor, Tensor] = self.network(sketches, photos)
        return embedded


def _averaged(encoder: Encoder, decay: float) -> AveragedModel:
    """Copy the encoder into an exponential moving average, batch norm's statistics included."""
    return AveragedModel(encoder, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]
