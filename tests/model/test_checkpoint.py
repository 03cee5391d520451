import os
import pickle
import resource
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sketchy.config import AnchorsConfig
from sketchy.config_file import parse_config
from sketchy.errors import CheckpointError, StorageError
from sketchy.model.anchors import AnchorAttention
from sketchy.model.calibration import Calibration
from sketchy.model.checkpoint import FORMAT, KIND, Checkpoint, load_checkpoint, save_checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.storage import temporary_name

CONFIG = parse_config(
    {
        "image": {"size": 16, "mean": 0.4, "std": 0.6, "color": "rgb"},
        "model": {"backbone": "mobilenet_v2", "embedding_size": 8, "normalize": True},
    },
    "test",
)
IMAGES = torch.randint(0, 256, (4, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def encoder():
    """An encoder whose running statistics are not those of a fresh one."""
    torch.manual_seed(3)
    encoder = build_encoder(CONFIG).train()
    encoder(IMAGES, "photo")
    return encoder.eval()


@pytest.fixture
def checkpoint(encoder) -> Checkpoint:
    return Checkpoint(CONFIG, ("ant", "été"), 5, {"val_map_all": 0.25}, encoder.state_dict())


@pytest.fixture
def saved(checkpoint, tmp_path) -> Path:
    path = tmp_path / "best.pth"
    save_checkpoint(path, checkpoint)
    return path


def rewrite(path: Path, **changes) -> None:
    """Save the file's content again with some entries changed, or removed where they are None."""
    content = torch.load(path, weights_only=True) | changes
    torch.save({name: value for name, value in content.items() if value is not None}, path)


def test_a_round_trip_gives_the_same_fields_and_bit_identical_embeddings(saved, encoder, checkpoint):
    loaded = load_checkpoint(saved)
    assert (loaded.config, loaded.categories, loaded.epoch) == (CONFIG, ("ant", "été"), 5)
    assert loaded.metrics == {"val_map_all": 0.25}
    assert loaded.training is None
    rebuilt = loaded.encoder()
    assert not rebuilt.training
    with torch.no_grad():
        assert torch.equal(rebuilt(IMAGES, "photo"), encoder(IMAGES, "photo"))


def test_building_an_encoder_twice_gives_encoders_of_their_own(saved):
    loaded = load_checkpoint(saved)
    one, other = loaded.encoder(), loaded.encoder()
    with torch.no_grad():
        one.head.weight.zero_()
    assert other.head.weight.abs().sum() > 0


def test_what_a_resumed_run_needs_comes_back_as_it_was(tmp_path, checkpoint):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
    optimizer.param_groups[0]["params"][0].sum().backward()
    optimizer.step()
    training = {"step": 3, "optimizer": optimizer.state_dict(), "generator": torch.get_rng_state(), "none": None}
    save_checkpoint(tmp_path / "last.pth", replace(checkpoint, training=training))
    loaded = load_checkpoint(tmp_path / "last.pth").training
    assert loaded["step"] == 3
    assert loaded["none"] is None
    assert torch.equal(loaded["generator"], training["generator"])
    for name, value in training["optimizer"]["state"][0].items():
        assert torch.equal(loaded["optimizer"]["state"][0][name], value)


def test_the_file_holds_tensors_and_plain_types_only(saved):
    content = torch.load(saved, weights_only=True)
    assert (content["kind"], content["format"]) == (KIND, FORMAT)
    assert type(content["categories"]) is list
    assert content["config"]["image"]["mean"] == [0.4, 0.4, 0.4]


def test_weights_from_a_path_are_not_looked_for_again(tmp_path, encoder, checkpoint):
    model = CONFIG.model.model_copy(update={"pretrained": str(tmp_path / "gone.pth")})
    save_checkpoint(tmp_path / "a.pth", replace(checkpoint, config=CONFIG.model_copy(update={"model": model})))
    with torch.no_grad():
        assert torch.equal(load_checkpoint(tmp_path / "a.pth").encoder()(IMAGES, "photo"), encoder(IMAGES, "photo"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no such checkpoint: .*nowhere.pth"):
        load_checkpoint(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("left", [0.0, 1e-6, 1e-4, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused_as_such(saved, left):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(CheckpointError, match=r"best.pth cannot be read \(truncated"):
        load_checkpoint(saved)


@pytest.mark.parametrize("content", [b"epoch: 3\nhello\n", b"\xff\xd8\xff\xe0" + bytes(200), b"\x89PNG\r\n\x1a\n"])
def test_a_file_of_another_kind_is_refused_without_calling_it_dangerous(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        load_checkpoint(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused_as_such(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be read \(is a folder\)"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {"weights": {}}, {"kind": "another"}, torch.zeros(2)])
def test_a_pth_that_is_not_ours_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="is not a Sketchy checkpoint"):
        load_checkpoint(tmp_path / "a.pth")


def test_a_newer_format_asks_for_an_upgrade(saved):
    rewrite(saved, format=FORMAT + 1)
    with pytest.raises(CheckpointError, match=rf"format {FORMAT + 1}, this version reads {FORMAT}; upgrade"):
        load_checkpoint(saved)


@pytest.mark.parametrize("name", ["config", "categories", "epoch", "metrics", "weights"])
def test_a_missing_entry_is_named(saved, name):
    rewrite(saved, **{name: None})
    with pytest.raises(CheckpointError, match=f"lacks '{name}'"):
        load_checkpoint(saved)


def sparse(entries):
    return {name: value.to_sparse() if value.ndim == 2 else value for name, value in entries.items()}


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("format", "1"),
        ("format", True),
        ("format", 0),
        ("config", [1]),
        ("config", {1: 2}),
        ("categories", 5),
        ("categories", "ant"),
        ("categories", [1, 2]),
        ("epoch", "5"),
        ("epoch", -1),
        ("metrics", 3),
        ("metrics", {"val_map_all": "high"}),
        ("weights", [1, 2]),
        ("weights", "abc"),
        ("weights", {"head.weight": 3}),
        ("weights", {1: torch.zeros(1)}),
        ("weights", sparse({"head.weight": torch.eye(3)})),
        ("training", 5),
    ],
)
def test_an_entry_of_another_type_is_named(saved, name, entry):
    rewrite(saved, **{name: entry})
    with pytest.raises(CheckpointError, match=rf"holds '{name}' as something else than it should be; it is damaged"):
        load_checkpoint(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_all_numbers_are_refused(saved, value):
    weights = torch.load(saved, weights_only=True)["weights"]
    weights["head.bias"][3] = value
    rewrite(saved, weights=weights)
    with pytest.raises(CheckpointError, match=r"not all numbers; the checkpoint: head.bias; use another"):
        load_checkpoint(saved).encoder()


def test_a_pickle_of_another_program_is_refused_without_a_warning(tmp_path):
    (tmp_path / "a.pth").write_bytes(pickle.dumps({"weights": [1.5]}, protocol=4))
    with pytest.raises(CheckpointError, match=r"a.pth (cannot be read|is not a Sketchy checkpoint)"):
        load_checkpoint(tmp_path / "a.pth")


def test_a_config_that_this_version_does_not_know_is_refused(saved):
    rewrite(saved, config={"model": {"depth": 3}})
    with pytest.raises(CheckpointError, match=r"the config inside .*best.pth; upgrade(.|\n)*model.depth: unknown key"):
        load_checkpoint(saved)


def test_a_file_that_runs_code_is_refused_and_does_not_run_it(saved, tmp_path):
    trap = tmp_path / "trap"
    rewrite(saved, metrics=Payload(trap))
    with pytest.raises(CheckpointError, match="could run code; it was refused"):
        load_checkpoint(saved)
    assert not trap.exists()
    torch.load(saved, weights_only=False)
    assert trap.exists()  # it was a live one


def test_weights_that_do_not_fit_their_config_are_named(saved):
    weights = torch.load(saved, weights_only=True)["weights"]
    weights["head.bias"] = torch.zeros(9)
    del weights["head.weight"]
    rewrite(saved, weights=weights)
    with pytest.raises(CheckpointError, match=r"head.bias is \(9,\), not \(8,\), missing head.weight"):
        load_checkpoint(saved).encoder()


def keeps(path: Path, checkpoint: Checkpoint, match: str) -> None:
    """Saving fails with the message, the old file is whole, and nothing else lies there."""
    with pytest.raises(StorageError, match=match):
        save_checkpoint(path, replace(checkpoint, epoch=6))
    assert list(path.parent.iterdir()) == [path]
    assert load_checkpoint(path).epoch == 5


def test_a_full_disk_keeps_the_old_file(saved, checkpoint, monkeypatch):
    def save_half(content, path):
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:595] . unexpected pos 704 vs 598")

    monkeypatch.setattr(torch, "save", save_half)
    keeps(saved, checkpoint, r"cannot write .*best.pth: the disk refused the data .*free some space")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_without_space_keeps_the_old_file(saved, checkpoint):
    temporary_name(saved).symlink_to("/dev/full")
    keeps(saved, checkpoint, "free some space")


def test_a_limit_on_the_size_of_files_keeps_the_old_file(saved, checkpoint):
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        keeps(saved, checkpoint, r"cannot write .*best.pth")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_place_that_cannot_be_written_to_is_not_called_full(tmp_path, checkpoint):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "best.pth", tmp_path / ("n" * 300)):
        with pytest.raises(StorageError, match=r"choose a (place that can be written to|shorter name)"):
            save_checkpoint(path, checkpoint)


def test_a_save_that_is_interrupted_keeps_the_old_file(saved, checkpoint, monkeypatch):
    def interrupt(content, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(saved, checkpoint)
    assert list(saved.parent.iterdir()) == [saved]
    assert load_checkpoint(saved).epoch == 5


def test_a_calibration_of_a_later_version_is_refused(checkpoint, tmp_path):
    later = Calibration((0.5, 1.5), (0.75, 0.25), (1.0, 2.0, 3.0, 4.0), 0.3)
    save_checkpoint(tmp_path / "c.pth", replace(checkpoint, calibration=later))
    with pytest.raises(CheckpointError, match="calibration"):
        load_checkpoint(tmp_path / "c.pth")


@pytest.mark.parametrize(
    "further",
    [(), ((9.0, -12.0), 0.3), ((9.0, -12.0, -0.5), 0.3)],
    ids=["of an early version", "without the number of photos", "whole"],
)
def test_a_calibration_is_kept(checkpoint, tmp_path, further):
    probes = torch.arange(6.0).view(2, 3)
    calibration = Calibration((0.5, 1.5), (0.75, 0.25), *further)
    calibrated = replace(checkpoint, calibration=calibration, probes=probes, anchors={"cup": probes[0].half()})
    save_checkpoint(tmp_path / "c.pth", calibrated)
    loaded = load_checkpoint(tmp_path / "c.pth")
    assert loaded.calibration == calibrated.calibration
    assert torch.equal(loaded.probes, probes)
    assert torch.equal(loaded.anchors["cup"], probes[0].half())
    assert loaded.fingerprint() == checkpoint.fingerprint()


def test_a_fingerprint_is_of_what_makes_an_embedding(checkpoint, saved):
    assert load_checkpoint(saved).fingerprint() == checkpoint.fingerprint()
    assert replace(checkpoint, epoch=9, metrics={}, categories=()).fingerprint() == checkpoint.fingerprint()
    weights = {name: weight.clone() for name, weight in checkpoint.weights.items()}
    weights["head.bias"][0] += 1e-3
    assert replace(checkpoint, weights=weights).fingerprint() != checkpoint.fingerprint()
    stretched = checkpoint.config.model_copy(
        update={"image": checkpoint.config.image.model_copy(update={"sketch_crop": 0.1})}
    )
    assert replace(checkpoint, config=stretched).fingerprint() != checkpoint.fingerprint()


def test_a_checkpoint_of_format_1_is_read_with_the_names_of_today(saved, encoder):
    config = CONFIG.model_dump(mode="json")
    config["train"]["ema"], config["data"]["held_out"] = 0.99, config["data"].pop("zero_shot")
    config["model"]["layout"] = config["model"].pop("spatial")
    rewrite(saved, format=1, config=config)
    loaded = load_checkpoint(saved)
    assert (loaded.config, loaded.format) == (CONFIG, 1)
    with torch.no_grad():
        assert torch.equal(loaded.encoder()(IMAGES, "photo"), encoder(IMAGES, "photo"))


@pytest.mark.parametrize(
    ("tree", "fingerprint"),
    [
        ({}, "06501647941e4957989fc6e1f8c8e4cda7d058ed69de23733b4b08a2b2607f28"),
        (
            {
                "image": {"size": 64, "color": "rgb", "mean": [0.4, 0.5, 0.6]},
                "model": {"backbone": "mobilenet_v2", "normalize": True, "spatial": {"block": 5, "grid": 3}},
            },
            "d0a60aa1472725afe5bb61362e58c872192daa85247c0feee6c3f7e264d493ad",
        ),
    ],
)
def test_fingerprints_are_those_of_the_first_version_which_indexes_hold(tree, fingerprint):
    assert Checkpoint(parse_config(tree, "test"), (), 0, {}, {}).fingerprint() == fingerprint


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"model": {"dropout": 0.5, "pretrained": "a.pth"}, "train": {"epochs": 3}, "data": {"root": "b"}}, True),
        ({"image": {"sketch_size": 32, "size": 32}}, False),
        ({"model": {"normalize": True}}, False),
        ({"model": {"domain_norm": True}}, False),
    ],
)
def test_settings_that_do_not_change_embeddings_do_not_change_the_fingerprint(change, same):
    plain, changed = (Checkpoint(parse_config(tree, "test"), (), 0, {}, {}) for tree in ({}, change))
    assert (plain.fingerprint() == changed.fingerprint()) == same


ANCHORS = {"cup": torch.eye(8)[0].half(), "dog": torch.eye(8)[1].half()}


def with_anchors(checkpoint: Checkpoint, **settings) -> Checkpoint:
    model = CONFIG.model.model_copy(update={"anchors": AnchorsConfig(**settings)})
    return replace(checkpoint, config=CONFIG.model_copy(update={"model": model}), anchors=ANCHORS)


def test_an_encoder_attends_to_the_anchors_if_its_config_says_so(checkpoint, encoder):
    plain, attending = replace(checkpoint, anchors=ANCHORS), with_anchors(checkpoint, weight=0.7, scale=9.0)
    with torch.no_grad():
        before = encoder(IMAGES, "photo")
        assert torch.equal(plain.encoder()(IMAGES, "photo"), before)
        expected = AnchorAttention(torch.eye(8)[:2], 0.7, 9.0)(before)
        torch.testing.assert_close(attending.encoder()(IMAGES, "photo"), expected)
    assert attending.encoder().state_dict().keys() == checkpoint.weights.keys()


def test_without_anchors_an_encoder_that_wants_them_embeds_as_it_is(checkpoint, encoder):
    alone = replace(with_anchors(checkpoint), anchors=None)
    with torch.no_grad():
        assert torch.equal(alone.encoder()(IMAGES, "photo"), encoder(IMAGES, "photo"))


def test_the_fingerprint_depends_on_the_anchors_that_embeddings_attend_to(checkpoint):
    attending = with_anchors(checkpoint)
    moved = replace(attending, anchors=ANCHORS | {"dog": torch.eye(8)[2].half()})
    settings = with_anchors(checkpoint, weight=0.4)
    prints = [made.fingerprint() for made in (checkpoint, attending, moved, settings)]
    assert len(set(prints)) == 4
    assert replace(checkpoint, anchors=ANCHORS).fingerprint() == checkpoint.fingerprint()
