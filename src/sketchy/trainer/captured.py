"""The update of a training step as one CUDA graph: recorded once, then launched as a whole.

Launching the kernels of a step one by one takes the CPU longer than a GPU needs to run those of a small network.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sketchy.config import Compile, Precision
from sketchy.loss.batch import LossOutput
from sketchy.loss.objective import Labels
from sketchy.loss.triplet import TripletLoss
from sketchy.trainer.forward import LoadedBatch
from sketchy.trainer.parallel import World

log = logging.getLogger(__name__)

WARM_UP = 4
"""Updates before the recording, in which kernels are compiled and chosen, and the optimizer makes its state."""
T = TypeVar("T")
Update = Callable[[LoadedBatch], LossOutput]


class GraphRecorder(Protocol):
    """Records work on a device."""

    def run(self, work: Callable[[], T]) -> T:
        """Run work where it would be recorded, before what is recorded of it."""

    def record(self, work: Callable[[], T]) -> tuple[T, Callable[[], object]]:
        """Record work without running it; return its result, which is not computed yet, and what computes it."""


class CudaGraphRecorder(GraphRecorder):
    """Records CUDA graphs on a stream of its own, as `torch.cuda.graph` requires.

    Args:
        device: A GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.graphs: list[torch.cuda.CUDAGraph] = []  # a graph whose recording failed must stay: the allocator asks it

    def run(self, work: Callable[[], T]) -> T:
        """Run work on the stream, after what the device was given before, and before what it is given then."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        try:
            with torch.cuda.stream(self.stream):  # restores the current stream also if a recording fails
                return work()
        finally:
            current.wait_stream(self.stream)

    def record(self, work: Callable[[], T]) -> tuple[T, Callable[[], object]]:
        """Record work as a CUDA graph. Raises RuntimeError if it cannot be recorded."""
        graph = torch.cuda.CUDAGraph()
        self.graphs.append(graph)

        def recorded() -> T:
            # Threads that prepare batches or write checkpoints may use the device meanwhile.
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                return work()

        try:
            return self.run(recorded), graph.replay
        except RuntimeError:
            # The generator may still take itself for one that is recorded, and refuse to draw.
            generator = torch.cuda.default_generators[self.stream.device.index]
            generator.graphsafe_set_state(generator.clone_state())
            raise


class CapturedUpdate:
    """An update that is run as it is a few times, and then as a graph; as it is for good if it cannot be recorded.

    The graph reads batches and learning rates from, and writes the loss and its statistics to, the same memory every
    time: each call overwrites the results of the one before.

    Args:
        update: Forward pass, backward pass and optimizer step; must do the same to every batch, without values that
            Python or the CPU computes anew.
        optimizer: Its optimizer, whose learning rates become tensors on the device.
        device: The device.
        recorder: Records on the device.
    """

    def __init__(self, update: Update, optimizer: Optimizer, device: torch.device, recorder: GraphRecorder) -> None:
        self._update = update
        self._optimizer = optimizer
        self._recorder = recorder
        self._batch: LoadedBatch | None = None
        self._output: LossOutput | None = None
        self._replay: Callable[[], object] | None = None
        self._runs = 0
        self._is_plain = False
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=device)

    def __call__(self, batch: LoadedBatch) -> LossOutput:
        """Update the weights."""
        if self._is_plain:
            return self._update(batch)
        batch = self._filled(batch)
        if self._replay is None:
            self._runs += 1
            if self._runs <= WARM_UP:
                return self._recorder.run(lambda: self._update(batch))
            self._record(batch)
        if self._replay is None or self._output is None:
            return self._update(batch)
        self._replay()
        return self._output

    def _filled(self, batch: LoadedBatch) -> LoadedBatch:
        """Copy a batch to where the graph reads it."""
        if self._batch is None:
            self._batch = _each(torch.Tensor.clone, batch)
        for old, new in zip(_tensors(self._batch), _tensors(batch), strict=True):
            old.copy_(new)
        return self._batch

    def _record(self, batch: LoadedBatch) -> None:
        self._optimizer.zero_grad()  # the graph allocates gradients of its own
        try:
            with capturable(self._optimizer):
                self._output, self._replay = self._recorder.record(lambda: self._update(batch))
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            log.info(f"training steps are not captured as a CUDA graph, which makes them slower: {reason}")
            self._is_plain = True


def should_capture(setting: Compile, world: World, precision: Precision, loss: nn.Module) -> bool:
    """Return whether updates are captured: on one GPU, unless `train.compile` is false.

    Not captured are float16, whose scaler decides in Python whether to update, and random triplets, which are drawn on
    the CPU: a graph would repeat the first ones.
    """
    draws = any(isinstance(module, TripletLoss) and module.mining == "random" for module in loss.modules())
    alone = world.device.type == "cuda" and world.size == 1 and not world.is_data_parallel
    return setting is not False and alone and precision != "float16" and not draws


@contextmanager
def capturable(optimizer: Optimizer) -> Iterator[None]:
    """Let the optimizer be captured in the block; outside of it torch warns of optimizers that may be."""
    try:
        for group in optimizer.param_groups:
            group["capturable"] = True
        yield
    finally:
        for group in optimizer.param_groups:
            group["capturable"] = False


def _tensors(batch: LoadedBatch) -> list[Tensor]:
    return [batch.sketches, batch.photos, *batch.sketch_labels, *batch.photo_labels]


def _each(function: Callable[[Tensor], Tensor], batch: LoadedBatch) -> LoadedBatch:
    sketches, photos, *labels = map(function, _tensors(batch))
    return LoadedBatch(sketches, photos, Labels(*labels[:2]), Labels(*labels[2:]))
