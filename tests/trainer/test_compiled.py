import logging
from functools import partialmethod

import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.errors import ConfigError, TrainingError
from sketchy.model.encoder import Siamese, build_encoder
from sketchy.trainer import compiled as compiling
from sketchy.trainer.compiled import compile_module, explain_compiler_errors, should_compile
from sketchy.trainer.parallel import World

ALONE = World(0, 1, torch.device("cpu"))
GPU = World(0, 1, torch.device("cuda", 0))


@pytest.fixture(autouse=True)
def _forget_what_was_compiled():
    yield
    torch.compiler.reset()


def make_siamese() -> Siamese:
    torch.manual_seed(0)
    config = {"image": {"size": 16}, "model": {"embedding_size": 8, "backbone": "pooled_cnn", "domain_norm": True}}
    return Siamese(build_encoder(parse_config(config, "test")))


def step(siamese: Siamese, images: torch.Tensor) -> list[torch.Tensor]:
    """Return what one step computes: embeddings, gradients, statistics of the batch norms."""
    siamese.train()
    siamese.zero_grad()
    sketches, photos = siamese(images[:4], images[4:])
    (sketches[1:] * photos[:-1]).pow(2).sum().backward()
    gradients = [parameter.grad for parameter in siamese.parameters()]
    return [sketches, photos, *gradients, *siamese.buffers()]


def test_a_compiled_network_computes_what_the_plain_one_does_and_keeps_its_names(monkeypatch):
    # All but the last stage, which turns the traced graphs into C++ and takes a minute.
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="aot_eager"))
    plain, compiled = make_siamese(), make_siamese()
    compile_module(compiled, graphs=False)
    tried = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    images = torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for _ in range(2):
        for expected, got in zip(step(plain, images), step(compiled, images), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == tried + 1  # whole: nothing in it forces a break


def test_copies_for_several_gpus_are_not_compiled(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="not for several GPUs in one process; start with torchrun, or name one"):
        should_compile(True, World(0, 1, torch.device("cuda")))


def test_auto_compiles_on_a_gpu_only(monkeypatch, logged):
    monkeypatch.setattr(compiling, "_try_to_compile", lambda world: None)
    assert should_compile("auto", GPU)
    assert not should_compile("auto", ALONE)
    assert not should_compile(False, GPU)
    assert not logged.messages


def test_auto_says_in_a_line_why_it_does_not_compile(monkeypatch, logged):
    def no_compiler(world):
        raise TrainingError("train.compile: no triton; install it")

    monkeypatch.setattr(compiling, "_try_to_compile", no_compiler)
    assert not should_compile("auto", GPU)
    line = "training is not compiled, which makes steps slower: train.compile: no triton; install it"
    assert logged.record_tuples == [("sketchy.trainer.compiled", logging.INFO, line)]
    with pytest.raises(TrainingError, match="no triton"):
        should_compile(True, GPU)


def test_what_cannot_be_compiled_runs_as_it_is_if_that_is_allowed(monkeypatch, logged):
    def broken(graph, inputs):
        raise RuntimeError("not this network")

    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend=broken))
    plain, compiled = make_siamese(), make_siamese()
    fallback = compile_module(compiled, graphs=False, or_plain=True)
    images = torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for _ in range(2):
        for expected, got in zip(plain(images[:4], images[4:]), fallback(images[:4], images[4:]), strict=True):
            assert torch.equal(got, expected)
    assert [message.partition(":")[0] for message in logged.messages] == [
        "training is not compiled, which makes steps slower"
    ]


def test_a_failure_to_compile_is_told_in_a_line():
    def broken(graph, inputs):
        raise RuntimeError("no compiler found\nmore of it")

    siamese = make_siamese()
    siamese.compile(backend=broken)
    with (
        pytest.raises(TrainingError, match=r"train\.compile: .*no compiler found; install a C\+\+ compiler or set"),
        explain_compiler_errors(),
    ):
        step(siamese, torch.zeros(8, 1, 16, 16, dtype=torch.uint8))
