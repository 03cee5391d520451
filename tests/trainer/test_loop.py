import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partialmethod

import numpy as np
import pytest
import torch
from torch import nn

from sketchy.config import AugmentConfig
from sketchy.config_file import parse_config
from sketchy.dataset.augment import build_augmenter, change_photos, compress_photos
from sketchy.dataset.drawings import Drawings
from sketchy.dataset.sampler import Items, PairSampler
from sketchy.dataset.training import TrainingImages, gather_to
from sketchy.errors import CheckpointError, Interrupted, TrainingError
from sketchy.loss.contrastive import ContrastiveLoss
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.memory import MemoryLoss
from sketchy.loss.objective import Objective, Term
from sketchy.loss.proxy import ProxyLoss
from sketchy.loss.triplet import TripletLoss
from sketchy.model.encoder import Siamese, build_encoder
from sketchy.results import EpochResult
from sketchy.trainer import loop
from sketchy.trainer.captured import WARM_UP
from sketchy.trainer.freezing import freeze
from sketchy.trainer.loop import Trainer
from sketchy.trainer.optim import build_optimizer
from sketchy.trainer.parallel import World

CONFIG = parse_config(
    {"image": {"size": 16}, "model": {"embedding_size": 8, "dropout": 0.3}, "train": {"learning_rate": 1e-3}}, "test"
)
ALONE = World(0, 1, torch.device("cpu"))


def make_trainer(loss: nn.Module | None = None, **options) -> Trainer:
    """A report_cnn on 24 sketches and 12 photos of noise in 3 categories, 4 steps an epoch."""
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    images = TrainingImages(
        sketches=draw.integers(0, 256, (24, 1, 16, 16), dtype=np.uint8),
        photos=draw.integers(0, 256, (12, 1, 16, 16), dtype=np.uint8),
        sketch_category=np.arange(24) % 3,
        photo_category=np.arange(12) % 3,
        sketch_photo=np.arange(24) % 12,
    )
    world = options.pop("world", ALONE)
    siamese = Siamese(build_encoder(CONFIG)).placed(world.device)
    options["frozen"] = freeze(siamese.encoder.backbone, options.pop("freeze", ()))
    loss = loss or ContrastiveLoss(2.0)
    if options.pop("random_triplets", False):
        loss = TripletLoss(0.5, "random", generator)
    rate = options.pop("rate", lambda step: 1e-3 / (1 + step))
    objective = Objective(loss, options.pop("terms", {})).to(world.device)
    if options.pop("augmented", False):
        options["augmenter"] = build_augmenter(AugmentConfig(flip=0.5, rotate=20, color=0.3, jpeg=0.5))
    return Trainer(
        siamese=siamese,
        loss=objective,
        optimizer=build_optimizer(CONFIG.train, siamese.encoder, objective),
        rate=rate,
        sampler=PairSampler(
            Items(np.arange(24), images.sketch_category),
            Items(np.arange(12), images.photo_category),
            batch_size=6,
            seed=0,
        ),
        images=images,
        world=world,
        generator=generator,
        **options,
    )


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.encoder.state_dict().items()}


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


class StopAfter:
    """Asks to stop once `steps` steps have been taken."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


def test_an_epoch_reports_means_and_changes_the_weights():
    trainer = make_trainer()
    before = weights(trainer)
    row = trainer.run_epoch()
    assert row.epoch == trainer.epoch == 1
    assert row.columns["loss"] > 0
    assert 0 <= row.columns["active_fraction"] <= 1
    assert row.columns["learning_rate"] == pytest.approx(1e-3 / 4)
    assert row.columns["images_per_second"] == pytest.approx(48 / row.columns["seconds"])
    assert not torch.equal(before["head.weight"], weights(trainer)["head.weight"])


def test_steps_on_one_loaded_batch_are_those_of_the_loop_and_lower_its_loss():
    looped = make_trainer()
    with pytest.raises(Interrupted):
        looped.run_epoch(StopAfter(1))
    trainer = make_trainer()
    with trainer.train_mode():
        batch = trainer.load(next(trainer.batches()))
        first = trainer.train_step(batch)
        assert_same(weights(looped), weights(trainer))
        for _ in range(5):
            last = trainer.train_step(batch)
    assert last < first


@pytest.mark.parametrize("options", [{}, {"clip_norm": 1.0}, {"precision": "bfloat16"}])
def test_the_same_seed_gives_the_same_weights(options):
    first = make_trainer(**options)
    first.run_epoch()
    second = make_trainer(**options)
    second.run_epoch()
    assert_same(weights(first), weights(second))


@pytest.mark.parametrize("steps", [1, 3, 4, 6, 8])
@pytest.mark.parametrize("options", [{}, {"random_triplets": True}, {"augmented": True}])
def test_a_run_stopped_anywhere_and_resumed_is_the_run_that_was_never_stopped(steps, options, tmp_path):
    unbroken = make_trainer(**options)
    rows = [unbroken.run_epoch() for _ in range(3)]

    stopped, stop = make_trainer(**options), StopAfter(steps)
    seen = []
    while stop.left > 0:
        try:
            seen.append(stopped.run_epoch(stop))
        except Interrupted:
            break
    torch.save(stopped.state(), tmp_path / "state.pth")

    torch.manual_seed(99)
    resumed = make_trainer(**options)
    resumed.restore(torch.load(tmp_path / "state.pth", weights_only=True))
    while resumed.epoch < 3:
        seen.append(resumed.run_epoch())

    assert_same(weights(unbroken), weights(resumed))
    assert [row.columns["loss"] for row in seen] == [row.columns["loss"] for row in rows]


class LossThatBreaks(nn.Module):
    """Becomes infinite at one call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.inner, self.calls, self.at = ContrastiveLoss(2.0), 0, at

    def forward(self, *batch):
        self.calls += 1
        output = self.inner(*batch)
        return output._replace(loss=output.loss * float("nan")) if self.calls == self.at else output


@pytest.mark.parametrize("at", [1, 3, 4, 6])
def test_a_loss_that_is_not_a_number_stops_with_its_step(at):
    trainer = make_trainer(LossThatBreaks(at))
    for _ in range((at - 1) // 4):
        trainer.run_epoch()
    with pytest.raises(TrainingError, match=rf"epoch {(at - 1) // 4 + 1}, step {(at - 1) % 4 + 1};"):
        trainer.run_epoch()


class GradientThatBreaks(nn.Module):
    """A loss that is a number while its gradient, at one call, is not."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.inner, self.calls, self.at = ContrastiveLoss(2.0), 0, at

    def forward(self, batch):
        self.calls += 1
        output = self.inner(batch)
        root_of_zero = (0 * batch.sketch).sum().sqrt()
        return output._replace(loss=output.loss + root_of_zero) if self.calls == self.at else output


@pytest.mark.parametrize("stop", [False, True])
def test_weights_that_break_at_the_last_step_are_not_handed_out(stop):
    trainer = make_trainer(GradientThatBreaks(2 if stop else 4))
    with pytest.raises(TrainingError, match=rf"weights are not all numbers; epoch 1, step {2 if stop else 4};"):
        trainer.run_epoch(StopAfter(2 if stop else 99))


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_precision_holds_in_the_threads_of_data_parallel(precision, dtype):
    trainer = make_trainer(precision=precision)
    images = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
    with ThreadPoolExecutor(1) as pool:
        embedded = pool.submit(trainer.forward_pass.network, images, images).result()
    assert [tensor.dtype for tensor in embedded] == [dtype, dtype]


def test_clipping_bounds_the_gradient():
    trainer = make_trainer(clip_norm=1e-3)
    trainer.run_epoch()
    norm = torch.cat([p.grad.flatten() for p in trainer.siamese.parameters()]).norm()
    assert norm <= 1e-3 * 1.001


def test_resuming_another_network_says_which_weights_differ():
    state = make_trainer().state()
    state["encoder"]["head.weight"] = torch.zeros(3, 500)
    with pytest.raises(CheckpointError, match=r"head.weight is \(3, 500\), not \(8, 500\)"):
        make_trainer().restore(state)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_gpu_trains_in_every_precision(precision):
    world = World(0, 1, torch.device("cuda"))
    trainer = make_trainer(world=world, precision=precision)
    assert trainer.run_epoch().columns["loss"] > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    "options", [{}, {"augmented": True}, {"random_triplets": True}, {"clip_norm": 1.0}, {"precision": "float16"}]
)
def test_a_step_does_not_wait_for_the_gpu(options):
    trainer = make_trainer(world=World(0, 1, torch.device("cuda")), **options)
    with trainer.train_mode():
        for index, batch in enumerate(trainer.batches()):
            torch.cuda.set_sync_debug_mode("error" if index else "default")  # the first one makes the optimizer's state
            try:
                trainer.train_step(trainer.load(batch))
            finally:
                torch.cuda.set_sync_debug_mode("default")


def test_a_run_that_was_saved_within_an_epoch_goes_on_from_there(monkeypatch):
    monkeypatch.setattr(loop, "CHECK_EVERY", 3)
    saved = []
    whole = make_trainer(augmented=True)
    row = whole.run_epoch(checked=lambda: saved.append(copy.deepcopy(whole.state())))
    assert [state["step"] for state in saved] == [3]  # of 4; the end of an epoch is the recorder's
    resumed = make_trainer(augmented=True)
    resumed.restore(saved[0])
    assert resumed.run_epoch().columns["loss"] == row.columns["loss"]
    assert_same(weights(whole), weights(resumed))


def test_the_weights_stay_when_the_memory_of_the_optimizer_is_freed():
    trainer = make_trainer()
    trainer.run_epoch()
    before = weights(trainer)
    trainer.free()
    assert not trainer.optimizer.state
    assert all(parameter.grad is None for parameter in trainer.siamese.parameters())
    assert_same(before, weights(trainer))


def test_a_frozen_module_keeps_its_weights_and_statistics_and_the_rest_learns():
    trainer = make_trainer(freeze=("[0-2]",))
    before = weights(trainer)
    trainer.run_epoch()
    changed = {name for name, tensor in weights(trainer).items() if not torch.equal(tensor, before[name])}
    assert not {name for name in changed if name.startswith(("backbone.0.", "backbone.1.", "backbone.2."))}
    assert {"backbone.3.weight", "backbone.5.running_mean", "head.weight"} <= changed


def test_a_compiled_network_learns_the_same_and_is_compiled_once(monkeypatch):
    # All but the last stage, which turns the traced graphs into C++ and takes a minute.
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="aot_eager"))
    torch.compiler.reset()
    plain, compiled = make_trainer(freeze=("0", "2")), make_trainer(freeze=("0", "2"), compiled=True)
    for trainer in (plain, compiled):
        trainer.siamese.encoder.dropout.p = 0.0  # may draw other numbers where it is compiled
    graphs = []
    for _ in range(3):
        expected, row = plain.run_epoch().columns, compiled.run_epoch().columns
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-3)
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    torch.compiler.reset()
    assert graphs[0] > 0
    assert graphs == graphs[:1] * 3


def test_a_group_of_the_optimizer_takes_its_factor_of_the_rate():
    trainer = make_trainer()
    trainer.optimizer.param_groups[0]["factor"] = 0.5
    row = trainer.run_epoch()
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.5e-3 / 4)
    assert row.columns["learning_rate"] == pytest.approx(1e-3 / 4)


def with_drawings(altered: float = 1.0) -> Trainer:
    """A trainer six of whose sketches are vector drawings, all of them altered."""
    trainer = make_trainer()
    points = np.random.default_rng(1).integers(0, 4096, (36, 2)).astype(np.int16)
    drawings = Drawings(16, points, np.arange(0, 37, 3), np.arange(0, 13, 2), altered=altered)
    trainer.images = replace(trainer.images, sketches=trainer.images.sketches[:18], drawings=drawings)
    trainer.preparation = replace(trainer.preparation, images=trainer.images)
    trainer.sketches = gather_to(ALONE.device, trainer.images.sketches, 0)
    return trainer


def test_drawings_stand_in_their_batch_where_the_sampler_put_them():
    trainer = with_drawings(altered=0.0)
    for prepared in trainer.batches():
        loaded = trainer.load(prepared).sketches.numpy()
        for row, image in zip(prepared.batch.sketches, loaded, strict=True):
            raster = row < 18
            expected = trainer.images.sketches[row] if raster else trainer.images.drawings[np.array([row - 18])][0]
            assert np.array_equal(image, expected)


def test_a_run_with_altered_drawings_resumes_bit_for_bit():
    whole = with_drawings()
    whole.run_epoch()
    first = with_drawings()
    with pytest.raises(Interrupted):
        first.run_epoch(lambda: first.step == 2)
    state = first.state()
    second = with_drawings()
    second.restore(state)
    second.run_epoch()
    assert_same(weights(whole), weights(second))


def test_compressed_photos_stand_in_their_batch_where_the_sampler_put_them():
    trainer = make_trainer(augmented=True)
    seen = 0
    for prepared in trainer.batches():
        loaded = trainer.load(prepared).photos
        changed = change_photos(trainer.photos(prepared.batch.photos), prepared.changes)
        kept = prepared.changes.kept()
        assert torch.equal(loaded[kept], changed[kept])
        assert torch.equal(loaded[~kept], compress_photos(changed[~kept], prepared.changes.quality[~kept]))
        seen += (~kept).sum()
    assert 0 < seen < 24


@pytest.fixture
def captured(monkeypatch, cpu_recorder):
    """Make trainers whose updates are captured, at rates that float32 holds exactly, as the graph reads them."""

    monkeypatch.setattr(loop, "CudaGraphRecorder", cpu_recorder)

    def make(**options) -> Trainer:
        with monkeypatch.context() as patch:
            patch.setattr(loop, "should_capture", lambda *args: True)
            return make_trainer(rate=exact_rate, **options)

    return make


def exact_rate(step: int) -> float:
    return 2.0 ** -(10 + step % 3)


def proxy_and_memory() -> dict:
    torch.manual_seed(1)
    terms = {
        "proxy": Term(1.0, ProxyLoss(3, 8, 16.0, 0.1), "category"),
        "instance": Term(0.5, MemoryLoss(12, 8, 0.1), "instance"),
    }
    return {"loss": InfoNCELoss(0.07, True), "terms": terms}


CAPTURED = {
    "report": dict,
    "clipped": lambda: {"clip_norm": 1.0, "augmented": True},
    "bfloat16": lambda: {"precision": "bfloat16"},
    "terms": proxy_and_memory,
    "hardest triplets": lambda: {"loss": TripletLoss(0.5, "batch-hard", torch.Generator())},
    "frozen": lambda: {"freeze": ("[0-2]",)},
}


@pytest.mark.parametrize("options", CAPTURED.values(), ids=CAPTURED)
def test_captured_updates_do_to_every_batch_what_plain_ones_do(options, captured):
    trainer = captured(**options())
    rows = [without_time(trainer.run_epoch()) for _ in range(3)]
    plain = make_trainer(rate=exact_rate, **options())
    assert [without_time(plain.run_epoch()) for _ in range(3)] == rows
    assert_same(weights(trainer), weights(plain))
    assert trainer._update._recorder.replays == 12 - WARM_UP


def without_time(row: EpochResult) -> dict[str, float]:
    return {name: value for name, value in row.columns.items() if "second" not in name}


@pytest.mark.parametrize("steps", [2, 6, 9])
def test_a_captured_run_that_was_stopped_and_resumed_is_the_run_that_was_never_stopped(steps, captured, tmp_path):
    unbroken = captured()
    for _ in range(3):
        unbroken.run_epoch()
    stopped, stop = captured(), StopAfter(steps)
    for _ in range((steps - 1) // 4):
        stopped.run_epoch(stop)
    with pytest.raises(Interrupted):
        stopped.run_epoch(stop)
    torch.save(stopped.state(), tmp_path / "state.pth")
    for resumed in (captured(), make_trainer(rate=exact_rate)):  # also where nothing is captured
        resumed.restore(torch.load(tmp_path / "state.pth", weights_only=True))
        while resumed.epoch < 3:
            resumed.run_epoch()
        assert_same(weights(unbroken), weights(resumed))


def test_an_update_that_cannot_be_captured_goes_on_as_it_is_with_one_line(captured, logged):
    class Waits(ContrastiveLoss):
        def forward(self, batch):
            output = super().forward(batch)
            output.loss.item()
            return output

    trainer = captured(loss=Waits(2.0))
    for _ in range(3):
        trainer.run_epoch()
    plain = make_trainer(rate=exact_rate)
    for _ in range(3):
        plain.run_epoch()
    assert_same(weights(trainer), weights(plain))
    (line,) = logged.messages
    assert line.startswith("training steps are not captured as a CUDA graph, which makes them slower: operation not")
    assert not any(group["capturable"] for group in trainer.optimizer.param_groups)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("options", CAPTURED.values(), ids=CAPTURED)
def test_a_gpu_runs_captured_updates_without_waiting_and_computes_what_plain_ones_do(options, monkeypatch, logged):
    world = World(0, 1, torch.device("cuda", 0))
    plain = losses(make_trainer(world=world, rate=exact_rate, **options()), waits_until=3)
    monkeypatch.setattr(loop, "should_compile", lambda *args: False)
    trainer = make_trainer(world=world, rate=exact_rate, compiled="auto", **options())
    assert trainer.captured
    torch.testing.assert_close(losses(trainer, waits_until=2), plain, rtol=1e-2, atol=1e-3)
    assert not logged.messages


def losses(trainer: Trainer, waits_until: int) -> torch.Tensor:
    """Return the losses of 12 steps, of which those from an epoch on must not wait for a GPU."""
    found = []
    for epoch in range(3):
        trainer.epoch = epoch
        with trainer.train_mode():
            for step, batch in enumerate(trainer.batches()):
                trainer.step = step
                torch.cuda.set_sync_debug_mode("default" if epoch < waits_until else "error")
                try:
                    found.append(trainer.train_step(trainer.load(batch)))
                finally:
                    torch.cuda.set_sync_debug_mode("default")
        trainer.step = 0
    return torch.stack(found)
