"""Training: our epoch, beside the same steps on a batch that is ready, and beside the loop of a notebook."""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch

from notebook import Notebook
from options import Options
from sketchy.choices import PairsConfig
from sketchy.config import Config
from sketchy.config_file import load_config
from sketchy.dataset.further import Further
from sketchy.dataset.loader import Dataset, load_dataset
from sketchy.dataset.training import training_set
from sketchy.errors import Interrupted, TrainingError
from sketchy.model.encoder import Siamese, build_encoder
from sketchy.runtime import keep_freed_memory, pick_device, seed_everything
from sketchy.trainer.loop import Trainer
from sketchy.trainer.parallel import World
from sketchy.trainer.run import build_trainer
from timing import Table, in_turns

READ_AHEAD = 2
"""Seconds in which the two workers of a DataLoader decode all that they may hold, 4 batches, undisturbed."""
OURS, READY, NOTEBOOK = "our epoch", "the same on a ready batch", "a notebook's loop"


def measure(options: Options) -> Table:
    """Measure images per second, each variant in a process of its own: how each manages its memory is part of it."""
    config = load_config(options.config, [f"data.root={options.data}", "model.pretrained=false", *options.settings])
    load_dataset(config)  # packed before the clock starts
    steps = 2 if options.quick else 20
    with_notebook = config.model.backbone == "report_cnn" and isinstance(config.sampler, PairsConfig)
    names = [name for name in VARIANTS if name != NOTEBOOK or with_notebook]
    pipes = {name: _start(name, config, steps) for name in names}
    try:
        pairs = [_receive(name, pipe) for name, pipe in pipes.items()]
        variants = {name: partial(_seconds, name, pipe) for name, pipe in pipes.items()}
        return in_turns(variants, round(2 * steps * pairs[0]), options.turns)
    finally:
        for pipe in pipes.values():
            pipe.close()


def _start(name: str, config: Config, steps: int) -> Connection:
    context = get_context("spawn")
    pipe, other = context.Pipe()
    context.Process(target=take_steps, args=(other, name, config, steps)).start()
    other.close()
    return pipe


def _seconds(name: str, pipe: Connection) -> float:
    """Have a process take its steps, and return the seconds."""
    pipe.send(True)
    seconds = _receive(name, pipe)
    if name == NOTEBOOK:
        time.sleep(READ_AHEAD)
    return seconds


def _receive(name: str, pipe: Connection) -> float:
    try:
        return float(pipe.recv())
    except EOFError:
        raise TrainingError(f"the process of {name!r} ended; its message stands above") from None


def take_steps(pipe: Connection, name: str, config: Config, steps: int) -> None:
    """Run in a process of its own: send the pairs of a step, then the seconds of so many steps whenever asked."""
    if name != NOTEBOOK:
        keep_freed_memory()
    variant = VARIANTS[name](config, load_dataset(config))
    with suppress(EOFError, BrokenPipeError):  # whoever asks has ended
        pipe.send(variant.pairs)
        while pipe.recv():
            started = time.perf_counter()
            variant.take(steps)
            pipe.send(time.perf_counter() - started)


class OurEpoch:
    """Our loop; its epoch goes on where it was stopped. Arguments as `Notebook`."""

    def __init__(self, config: Config, data: Dataset) -> None:
        seed_everything(config.train.seed)
        world = World(0, 1, pick_device(config.train.device))
        siamese = Siamese(build_encoder(config, load_pretrained=False)).placed(world.device)
        further = Further(data.pack.categories)
        self.trainer: Trainer = build_trainer(config, siamese, training_set(data, further), further, world)
        self.pairs = self.trainer.sampler.batch_size

    def take(self, steps: int) -> None:
        """Take so many training steps."""
        taken = 0

        def enough() -> bool:
            nonlocal taken
            taken += 1
            return taken == steps

        while taken < steps:
            with suppress(Interrupted):
                self.trainer.run_epoch(enough)
        self.wait()

    def wait(self) -> None:
        """Wait until a GPU has done what it was given."""
        if self.trainer.world.device.type == "cuda":
            torch.cuda.synchronize()


class ReadyBatch(OurEpoch):
    """The same steps on one batch that is loaded already: arithmetic alone."""

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        with closing(self.trainer.batches()) as batches:
            self.batch = self.trainer.load(next(batches))

    def take(self, steps: int) -> None:
        """Take so many training steps."""
        with self.trainer.train_mode():
            for _ in range(steps):
                self.trainer.train_step(self.batch)
        self.wait()


VARIANTS: dict[str, Callable[[Config, Dataset], OurEpoch | Notebook]] = {
    OURS: OurEpoch,
    READY: ReadyBatch,
    NOTEBOOK: Notebook,
}
