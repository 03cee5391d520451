"""One GPU at its limit: what the device can do, the training steps beside it, a whole epoch, embedding, and kernels.

Without a GPU all of it runs on the CPU, which shows no more than that it runs; use --quick for that.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from database import random_dataset
from decoding import decode_all
from embed import by_torch
from notebook import Notebook
from options import Options
from sketchy.config import Config, Precision
from sketchy.config_file import load_config
from sketchy.dataset.further import Further
from sketchy.dataset.loader import Dataset, load_dataset
from sketchy.errors import SketchyError
from sketchy.progress import no_progress
from sketchy.runtime import pick_device
from sketchy.trainer.captured import WARM_UP, CudaGraphRecorder, capturable
from sketchy.trainer.forward import DTYPES, allow_tf32
from sketchy.trainer.history import History
from sketchy.trainer.record import Recorder
from sketchy.trainer.run_dir import RunDir
from timing import Row, Table, in_turns
from train import OurEpoch, ReadyBatch
from variants import VARIANTS, measure_variant

LIMIT_S = 200
"""Seconds after which no further row is begun, so that all takes four minutes at most."""
BYTES_PER_WEIGHT = 40
"""Of a step in float32: the weight is read in both passes, its gradient written; Adam reads 16 and writes 12."""
MEASURED: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")
FULL = {"photos": 12_500, "sketches": 75_471, "categories": 125}
SMALL = {"photos": 80, "sketches": 160, "categories": 4}
QUICK = {
    "default": ["image.size=16", "sampler.batch_size=8"],
    "recommended": [
        *("image.size=64", "image.sketch_size=64", "augment.photo_size=null", "sampler.categories=2"),
        "sampler.unpaired=0",
    ],
}
EPOCHS = 200


class Part(NamedTuple):
    """A row to measure: the table and its name, and the function that measures it, or that returns several by name."""

    table: str
    row: str
    measure: Callable[[], Row | Table]


def measure(options: Options) -> dict[str, Table]:
    """Measure all tables within the limit, the more important rows first; each row is also shown on stderr."""
    started, tables = time.perf_counter(), dict[str, Table]()
    for part in Bench(options).parts():
        if time.perf_counter() - started > LIMIT_S:
            print(f"left out for lack of time: {part.table}: {part.row}", file=sys.stderr)
            continue
        try:
            found = part.measure()
        except (RuntimeError, SketchyError) as error:  # the other rows do not depend on it
            reason = str(error).strip().partition("\n")[0]
            print(f"failed: {part.table}: {part.row}: {error}", file=sys.stderr)
            tables.setdefault("rows that failed", {})[f"{part.table}: {part.row}: {reason}"] = {"rows": 1}
            continue
        rows = found if isinstance(next(iter(found.values())), dict) else {part.row: found}
        tables.setdefault(part.table, {}).update(rows)  # type: ignore[arg-type]
        print(f"{time.perf_counter() - started:.0f} s: {part.table}: {rows}", file=sys.stderr)
    return tables


class Bench:
    """The rows of all tables.

    Args:
        options: The arguments of the command line.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.device = pick_device("auto")
        self.is_gpu = self.device.type == "cuda"
        self.steps = 1 if options.quick else 50
        self.ceilings: dict[str, float] = {}
        self.datasets: dict[str, Dataset] = {}

    def parts(self) -> Iterator[Part]:
        """Yield the rows to measure, the more important ones first."""
        device = torch.cuda.get_device_name() if self.is_gpu else "the CPU"
        ceilings = f"ceilings of {device}, torch {torch.__version__}"
        yield Part(ceilings, "copying on the device, TB/s", self.copying)
        for precision in MEASURED:
            yield Part(ceilings, f"matrix product, {precision}, TFLOP/s", partial(self.multiplying, precision))
        variants = list(product((True, False), MEASURED)) if self.is_gpu else [(False, "float32")]
        variants.sort(key=lambda variant: variant not in ((True, "tf32"), (False, "float32")))
        first, rest = variants[:2], variants[2:]
        yield from (self._training(config, *variant) for variant in first for config in QUICK)
        if self.is_gpu:
            plain = [(False, precision) for _, precision in first]
            yield from (self._captured(config, *variant) for variant in first + plain for config in QUICK)
        yield Part("a notebook's loop on the same device", "default", self.notebook)
        yield Part("a whole epoch of the full database", "default", partial(self.whole_epoch, *first[0]))
        yield Part("embedding photos", "", self.embedding)
        for config in QUICK:
            yield Part(f"the most expensive kernels of {config}", "", partial(self.kernels, config, *first[0]))
        for name in VARIANTS:
            layers = partial(measure_variant, name, self.device, quick=self.options.quick)
            yield Part("ways to compute the first layers of report_cnn", name, layers)
        yield from (self._training(config, *variant) for variant in rest for config in QUICK)

    def _training(self, config: str, is_compiled: bool, precision: str) -> Part:
        row = f"{config}, {'compiled' if is_compiled else 'plain'}, {precision}"
        return Part("training steps", row, partial(self.training, config, is_compiled, precision))

    def _captured(self, config: str, is_compiled: bool, precision: str) -> Part:
        row = f"{config}, {'compiled' if is_compiled else 'plain'}, {precision}"
        return Part("the whole step captured", row, partial(self.captured, config, is_compiled, precision))

    def captured(self, name: str, is_compiled: bool, precision: str) -> Row:
        """Measure milliseconds of the update alone, launched as one CUDA graph: what our epoch can reach."""
        ready, recorder = self._ready(name, is_compiled, precision), CudaGraphRecorder(self.device)
        trainer = ready.trainer
        with trainer.train_mode():
            for _ in range(WARM_UP):
                recorder.run(lambda: trainer.update(ready.batch))
            trainer.optimizer.zero_grad()
            with capturable(trainer.optimizer):
                _, replay = recorder.record(lambda: trainer.update(ready.batch))
        return {"ms a step": 1000 * self._seconds(lambda: [replay() for _ in range(self.steps)]) / self.steps}

    def copying(self) -> Row:
        """Measure how many bytes a second the device reads and writes."""
        source = torch.empty(2**20 if self.options.quick else 2**30, dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        rate = 2 * len(source) / self._seconds(lambda: target.copy_(source))
        self.ceilings["copy"] = rate
        return {"figure": rate / 1e12}

    def multiplying(self, precision: Precision) -> Row:
        """Measure how many operations a second a large matrix product does."""
        allow_tf32(precision == "tf32")
        side = 256 if self.options.quick else 8192
        left, right = torch.randn(2, side, side, dtype=DTYPES[precision], device=self.device)
        rate = 2 * side**3 / self._seconds(lambda: left @ right)
        self.ceilings[precision] = rate
        return {"figure": rate / 1e12}

    def training(self, name: str, is_compiled: bool, precision: str) -> Row:
        """Measure milliseconds of a step of our epoch and of one on a ready batch, its kernels alone, and the floor."""
        ready = self._ready(name, is_compiled, precision)
        floor = self._floor(ready, precision)
        variants = {"epoch": partial(_from_the_start, ready, self.steps), "ready": partial(ready.take, self.steps)}
        rates = in_turns(variants, self.steps, self.options.turns)
        ours, step = (1000 / rates[variant]["a second"] for variant in variants)
        return {
            "our epoch, ms a step": ours,
            "a ready batch": step,
            "its kernels alone": sum(row["ms a step"] for row in self._kernels(ready).values()),
            "floor by bytes and operations": floor,
            "ready batch / our epoch": step / ours,
            "pairs a second": 1000 * ready.pairs / ours,
        }

    def kernels(self, name: str, is_compiled: bool, precision: str) -> Table:
        """List the ten kernels that take most of the time of a step."""
        found = self._kernels(self._ready(name, is_compiled, precision))
        return dict(sorted(found.items(), key=lambda item: -item[1]["ms a step"])[:10])

    def notebook(self) -> Row:
        """Measure milliseconds of a step of a notebook's loop, which decodes every image anew."""
        config = self._config("default", [f"data.root={self.options.data}"])
        steps = 2 if self.options.quick else 20
        notebook = Notebook(config, load_dataset(config), self.device, repeats=1 if self.options.quick else 50)

        def take() -> None:
            notebook.take(steps)
            self._wait()

        rate = in_turns({"notebook": take}, steps, 1)["notebook"]["a second"]
        return {"ms a step": 1000 / rate, "pairs a second": rate * notebook.pairs}

    def whole_epoch(self, is_compiled: bool, precision: str) -> Row:
        """Measure an epoch with validation and saving, the second of two, and reckon a training from it."""
        config, data = self._config("default", _settings(is_compiled, precision)), self._data("default")
        trainer = OurEpoch(config, data).trainer
        with tempfile.TemporaryDirectory() as folder:
            run_dir, further = RunDir(Path(folder)), Further(data.pack.categories)
            recorder = Recorder(config, run_dir, trainer, data, further, History(run_dir.history), no_progress)
            for _ in range(2):
                started = time.perf_counter()
                row = trainer.run_epoch(checked=recorder.save_if_due)
                trained = time.perf_counter()
                recorder.end_epoch(row)
                ended = time.perf_counter()
            recorder.save_now()
            recorder.saver.close()
        return {
            "steps": len(trainer.sampler),
            "seconds": ended - started,
            "share that is no step": (ended - trained) / (ended - started),
            f"{EPOCHS} epochs, minutes": EPOCHS * (ended - started) / 60,
        }

    def embedding(self) -> Table:
        """Measure photos a second, decoded on all cores and embedded on the device."""
        model = by_torch(self.options.checkpoint, self.device)
        paths = self.options.images("*.jpg")[: 8 if self.options.quick else 2048]
        paths *= 1 if self.options.quick else -(-2048 // len(paths))
        pixels = np.stack([model.preprocess.load(path, "photo") for path in paths])
        reads = [path.read_bytes for path in paths]
        variants = {
            "embedding files": lambda: model.embed_files(paths, "photo"),
            "the forward pass alone": lambda: model.embed_prepared(pixels, len(pixels), "photo"),
            "decoding alone, on all cores": lambda: decode_all(reads, model.preprocess.size),
        }
        return in_turns(variants, len(paths), self.options.turns)

    def _config(self, name: str, settings: list[str]) -> Config:
        more = [*QUICK[name], "train.device=auto"] if self.options.quick else ["train.device=auto"]
        path = Path(__file__).parents[2] / "configs" / f"{name}.yaml"
        random_weights = [
            "model.pretrained=false",
            "model.anchors=null",
            "terms.bridge_weight=0",
        ]  # as fast as trained ones, and always there
        return load_config(path, [*random_weights, *more, *settings])

    def _data(self, name: str) -> Dataset:
        torch.compiler.reset()  # whoever asks makes another network, and only a few are compiled before
        if name not in self.datasets:
            size = SMALL if self.options.quick else FULL
            self.datasets[name] = random_dataset(self._config(name, []), **size)
        return self.datasets[name]

    def _ready(self, name: str, is_compiled: bool, precision: str) -> ReadyBatch:
        return ReadyBatch(self._config(name, _settings(is_compiled, precision)), self._data(name))

    def _kernels(self, ready: ReadyBatch) -> Table:
        """Return the milliseconds of every kernel in a step, by its name."""
        ready.take(1)
        with profile(activities=[ProfilerActivity.CUDA if self.is_gpu else ProfilerActivity.CPU]) as profiler:
            ready.take(self.steps)
        found: Table = {}
        for event in profiler.key_averages():
            microseconds = event.self_device_time_total if self.is_gpu else event.self_cpu_time_total
            if microseconds:
                name = event.key.replace("|", "/")[:80]
                found[name] = {"ms a step": microseconds / 1000 / self.steps, "calls a step": event.count / self.steps}
        return found

    def _floor(self, ready: ReadyBatch, precision: str) -> float:
        """Return the milliseconds in which the device can do the operations of a step, and move its weights."""
        siamese = ready.trainer.siamese.train()
        with FlopCounterMode(display=False) as counter:
            sketches, photos = siamese(ready.batch.sketches, ready.batch.photos)
            (sketches.sum() + photos.sum()).backward()
        siamese.zero_grad()
        weights = sum(parameter.numel() for parameter in siamese.parameters() if parameter.requires_grad)
        seconds = counter.get_total_flops() / self.ceilings[precision]
        return 1000 * max(float(seconds), BYTES_PER_WEIGHT * weights / self.ceilings["copy"])

    def _seconds(self, work: Callable[[], object]) -> float:
        """Return the seconds of one of ten runs, after one to warm up."""
        work()
        self._wait()
        started = time.perf_counter()
        for _ in range(10):
            work()
        self._wait()
        return (time.perf_counter() - started) / 10

    def _wait(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize()


def _settings(is_compiled: bool, precision: str) -> list[str]:
    return [f"train.compile={str(is_compiled).lower()}", f"train.precision={precision}"]


def _from_the_start(ours: OurEpoch, steps: int) -> None:
    """Take the first steps of an epoch: to go on from a later one, its batches before would be drawn again."""
    ours.trainer.step, ours.trainer.sums = 0, {}
    OurEpoch.take(ours, steps)
