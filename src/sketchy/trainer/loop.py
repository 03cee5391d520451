"""The training loop: one epoch, step by step, and the state from which it can be resumed bit for bit."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from sketchy.config import Compile, Precision
from sketchy.dataset.augment import Augmenter, change_photos, change_sketches
from sketchy.dataset.sampler import Sampler
from sketchy.dataset.training import TrainingImages, gather_to
from sketchy.errors import Interrupted, TrainingError
from sketchy.loss.batch import LossOutput
from sketchy.loss.objective import Labels, Objective
from sketchy.model.encoder import Siamese
from sketchy.model.folding import kept_folded
from sketchy.model.weights import load_weights
from sketchy.progress import Advance
from sketchy.results import EpochResult
from sketchy.runtime import generator_states, restore_generators, room_for_data, to_device
from sketchy.trainer.captured import CapturedUpdate, CudaGraphRecorder, Update, should_capture
from sketchy.trainer.compiled import explain_compiler_errors, should_compile
from sketchy.trainer.forward import LoadedBatch, build_forward_pass
from sketchy.trainer.parallel import World
from sketchy.trainer.prepare import Preparation, PreparedBatch, merged

CHECK_EVERY = 50
"""Steps between checks that the loss is finite: a check makes a GPU wait."""


class Trainer:
    """A Siamese network in training: the network, its objective, its optimizer, and the progress so far.

    Args:
        siamese: The network, on the world's device.
        loss: The objective, on the world's device.
        optimizer: Updates the parameters of both.
        rate: Learning rate at a global step; a group of the optimizer multiplies it by its `factor`.
        sampler: Draws the batches of an epoch.
        images: The images that the indices of a batch refer to.
        world: The processes that train together.
        generator: Random generator of the loss, whose state is saved; its initial seed is that of the augmentation.
        augmenter: Changes every batch; None leaves the images as they are.
        frozen: Modules, none within another, that are not trained and stay in evaluation mode.
        precision: Precision of the forward pass.
        compiled: Whether to compile the network and the loss at the first step, and on a GPU to capture the update; see
            `should_compile` and `should_capture`.
        clip_norm: Largest gradient norm; None does not clip.
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
        precision: Precision = "float32",
        compiled: Compile = False,
        clip_norm: float | None = None,
    ) -> None:
        self.siamese, self.encoder = siamese, siamese.encoder
        self.loss = loss
        self.compiled = should_compile(compiled, world)
        self.captured = should_capture(compiled, world, precision, loss)
        self.forward_pass = build_forward_pass(
            siamese, loss, world, precision, compiled=self.compiled, or_plain=compiled == "auto", captured=self.captured
        )
        self.optimizer = optimizer
        self.rate = rate
        self.sampler = sampler
        self.images = images
        self.sketches = gather_to(world.device, images.sketches, room_for_data(world.device))
        self.photos = gather_to(world.device, images.photos, room_for_data(world.device))
        self.world = world
        self.generator = generator
        self.preparation = Preparation(images, augmenter, world, generator.initial_seed())
        self.frozen = frozen
        self.clip_norm = clip_norm
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=precision == "float16")
        self._update = self._build_update()
        self.epoch, self.step = 0, 0  # finished epochs, and finished steps of the current one
        self.seconds = 0.0  # time spent on the current epoch before it was resumed
        self.sums: dict[str, Tensor] = {}  # statistics summed over the steps of the current epoch

    def run_epoch(
        self,
        stop: Callable[[], bool] = lambda: False,
        advance: Advance = lambda steps: None,
        checked: Callable[[], None] = lambda: None,
    ) -> EpochResult:
        """Train to the end of the current epoch.

        Args:
            stop: Called after every step; True on any rank ends the epoch early on all.
            advance: Called with the number of steps that were done since its last call.
            checked: Called within the epoch whenever loss and weights were found finite: `state` may be saved.

        Returns:
            Means over the epoch of the loss and its statistics, the last learning rate, seconds and images per second.

        Raises:
            Interrupted: It was stopped; `state` resumes it at the next step.
            TrainingError: The loss or a weight is no longer finite, or the network cannot be compiled.
        """
        started = time.perf_counter() - self.seconds
        losses: list[Tensor] = []  # of the steps that are not checked yet
        with self.train_mode(), closing(self.batches()) as batches:
            for batch in batches:
                losses.append(self.train_step(self.load(batch)))
                self.step += 1
                advance(1)
                last = self.step == len(self.sampler)
                stopping = self.world.any(stop()) and not last
                if stopping or last or len(losses) == CHECK_EVERY:
                    self._check_finite(losses)
                    losses.clear()
                    self.seconds = time.perf_counter() - started
                    if stopping:
                        raise Interrupted("stopped")
                    if not last:
                        checked()
        return self._close_epoch(time.perf_counter() - started)

    @contextmanager
    def train_mode(self) -> Iterator[None]:
        """Prepare the network for training steps in the block: `train_step` must run inside.

        Frozen modules stay in evaluation mode. On a CPU they are also folded, which saves a tenth of a step, unless the
        network is compiled, since folding anew for each epoch would recompile it.

        Raises:
            TrainingError: The network cannot be compiled.
        """
        self.forward_pass.train()
        for module in self.frozen:
            module.eval()
        folded = kept_folded(self.frozen if self.world.device.type == "cpu" and not self.compiled else ())
        with folded, explain_compiler_errors() if self.compiled else nullcontext():
            yield

    def batches(self) -> Generator[PreparedBatch]:
        """Yield the batches that are left of the epoch; close it, as threads work ahead."""
        left = islice(enumerate(self.sampler.epoch(self.epoch)), self.step, None)
        return self.preparation.ahead(left, self.epoch)

    def load(self, prepared: PreparedBatch) -> LoadedBatch:
        """Load the images and labels of a batch, and augment the images."""
        batch, drawings, changes, _ = prepared
        shard = self.world.shard(len(batch.sketches))
        sketches, photos = self._sketches(batch.sketches[shard], drawings), self._photos(batch.photos[shard], prepared)
        if changes is not None:
            sketches = change_sketches(sketches, changes.to(self.world.device))
        return LoadedBatch(
            sketches,
            photos,
            self._labels(self.images.sketch_category[batch.sketches], self.images.sketch_photo[batch.sketches]),
            self._labels(self.images.photo_category[batch.photos], batch.photos),
        )

    def train_step(self, batch: LoadedBatch) -> Tensor:
        """Take one optimizer step, at the learning rate of the current step, and return its loss, detached.

        Nothing in it, or in `load`, waits for a GPU.
        """
        rate = self.rate(self.epoch * len(self.sampler) + self.step)
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * group["factor"])
            else:
                group["lr"] = rate * group["factor"]
        loss, stats = self._update(batch)
        detached = loss.clone()  # as a CUDA graph overwrites its results in the next step
        for name, value in {"loss": detached, **stats}.items():
            self.sums[name] = self.sums.get(name, 0) + value
        return detached

    def update(self, batch: LoadedBatch) -> LossOutput:
        """Update the weights, and return the loss, detached, and its statistics.

        A graph repeats what is done to one batch, so that no value may come from Python or from the CPU.
        """
        loss, stats = self.forward_pass(*batch)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.siamese.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return LossOutput(loss.detach(), stats)

    def _build_update(self) -> Update:
        """Return what updates the weights; again after a restore, which replaces the optimizer's state."""
        if self.captured:
            device = self.world.device
            return CapturedUpdate(self.update, self.optimizer, device, CudaGraphRecorder(device))
        for group in self.optimizer.param_groups:
            group["lr"] = 0.0  # set in every step; a captured run saved tensors
        return self.update

    def _sketches(self, rows: NDArray[np.int64], drawings: Tensor | None) -> Tensor:
        if drawings is None:
            return self.sketches(rows)
        raster = rows < len(self.images.sketches)
        return merged(self.sketches(rows[raster]), drawings, raster)

    def _photos(self, rows: NDArray[np.int64], prepared: PreparedBatch) -> Tensor:
        if prepared.changes is None:
            return self.photos(rows)
        kept = prepared.changes.kept()
        photos = change_photos(self.photos(rows[kept]), prepared.changes.share(kept).to(self.world.device))
        return photos if prepared.compressed is None else merged(photos, prepared.compressed, kept)

    def _labels(self, *labels: NDArray[np.int64]) -> Labels:
        return Labels(
            *(to_device(torch.from_numpy(np.ascontiguousarray(array)), self.world.device) for array in labels)
        )

    def _check_finite(self, losses: list[Tensor]) -> None:
        """Check the losses of the last steps and the weights. Raises TrainingError."""
        finite = torch.stack(losses).isfinite().tolist()
        if not all(finite):
            raise self._diverged("the loss is not a number", self.step - len(finite) + finite.index(False) + 1)
        weights = [*self.siamese.state_dict().values(), *self.loss.state_dict().values()]
        # Their sums are finite if all of them are, and take a tenth of the time of a check of each.
        if not torch.stack([value.sum() for value in weights]).isfinite().all():
            raise self._diverged("the weights are not all numbers", self.step)

    def _diverged(self, what: str, step: int) -> TrainingError:
        return TrainingError(
            f"{what}; epoch {self.epoch + 1}, step {step}; lower train.learning_rate or set train.clip_norm"
        )

    def _close_epoch(self, seconds: float) -> EpochResult:
        means = {name: float(total) / self.step for name, total in self.sums.items()}
        images = 2 * self.step * self.sampler.batch_size
        extra = {
            "learning_rate": max(float(group["lr"]) for group in self.optimizer.param_groups),
            "seconds": seconds,
            "images_per_second": images / seconds,
        }
        self.epoch += 1
        self.step, self.seconds, self.sums = 0, 0.0, {}
        return EpochResult(self.epoch, {**means, **extra})

    def free(self) -> None:
        """Free the gradients and the state of the optimizer, three times the memory of the weights, after training."""
        self.optimizer.zero_grad()
        self.optimizer.state.clear()

    def state(self) -> dict[str, Any]:
        """Return all that `restore` needs to resume bit for bit: tensors and plain types."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "sums": self.sums,
            "encoder": self.encoder.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": self.generator.get_state(),
            "generators": generator_states(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume where `state` was taken, with the same config, data and number of processes.

        Raises:
            CheckpointError: The weights are of another network.
        """
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        self.sums = {name: value.to(self.world.device) for name, value in state["sums"].items()}
        load_weights(self.encoder, state["encoder"], "the run that is resumed")
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._update = self._build_update()
        self.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(state["generator"])
        restore_generators(state["generators"])
