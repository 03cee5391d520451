"""Files of exported models: whole, damaged and foreign ones."""

import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from sketchy.config import AnchorsConfig
from sketchy.errors import CheckpointError
from sketchy.inference.bundled import BUNDLED
from sketchy.inference.export import export_model, to_exported
from sketchy.inference.exported import (
    HEADER,
    KINDS,
    WORDS,
    digest_of,
    find_exported,
    read_exported,
    write_exported,
)
from sketchy.inference.onnx_engine import OnnxEngine
from sketchy.inference.torch_engine import embed_pixels, read_checkpoint
from sketchy.retrieval.model import load_model


def rewritten(path, change=None, leave_out=""):
    """A copy of the bundled model with another model.json, or without a member."""
    with zipfile.ZipFile(BUNDLED) as source, zipfile.ZipFile(path, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == HEADER and change is not None:
                content = change if isinstance(change, bytes) else json.dumps(json.loads(content) | change).encode()
            if name != leave_out:
                copy.writestr(name, content)
    return path


def test_the_bundled_model_is_described_with_all_that_searching_needs():
    exported = read_exported(BUNDLED)
    description = exported.description
    assert description.preprocess.shape("photo") == (3, 224, 224)
    assert description.preprocess.shape("sketch") == (1, 160, 160)
    assert description.probes.shape[1] == description.embedding_size
    assert description.calibration.score(0.1) > description.calibration.score(1.2)
    assert description.config.model.embedding_size == description.embedding_size
    assert description.normalize


def test_the_names_of_a_model_come_with_it_and_leave_its_fingerprint(tmp_path, named_checkpoint, model):
    checkpoint = read_checkpoint(named_checkpoint)
    write_exported(tmp_path / "named.zip", to_exported(checkpoint), digest_of(named_checkpoint))
    found = load_model(tmp_path / "named.zip", "cpu")
    assert found.fingerprint == model.fingerprint
    assert found.words.keys() == checkpoint.anchors.keys() == {"cookie", "window", "bread", "cat"}
    for name, vector in found.words.items():
        np.testing.assert_array_equal(vector, checkpoint.anchors[name].numpy())
        np.testing.assert_array_equal(read_checkpoint(tmp_path / "named.zip").anchors[name].numpy(), vector)
    assert found.embed(np.zeros((20, 20, 3), np.uint8), "photo").shape == (1, 16)


def test_a_model_of_an_earlier_version_has_no_names(tmp_path):
    with zipfile.ZipFile(BUNDLED) as source:
        header = json.loads(source.read(HEADER))
    header["arrays"].pop("words", None)
    header.pop("words", None)
    assert read_exported(rewritten(tmp_path / "a.zip", json.dumps(header).encode())).description.words == {}
    with pytest.raises(CheckpointError, match=r"a\.zip is damaged or not an exported model"):
        read_exported(rewritten(tmp_path / "a.zip", {"words": ["cat"], "arrays": header["arrays"]}))


@pytest.mark.parametrize(
    ("change", "leave_out"),
    [
        (b"{", ""),
        (b"[]", ""),
        ({"kind": "another"}, ""),
        ({"arrays": {"a": {"dtype": "object", "shape": [1], "offset": 0}}}, ""),
        ({"arrays": {"a": {"dtype": "float32", "shape": [10**9], "offset": 0}}}, ""),
        ({"settings": {}}, ""),
        ({"fingerprint": "x"}, ""),
        (None, "weights.bin"),
        (None, "photo.onnx"),
    ],
    ids=str,
)
def test_a_wrong_content_is_one_line(tmp_path, change, leave_out):
    with pytest.raises(CheckpointError, match=r"a\.zip is damaged or not an exported model; name one") as caught:
        load_model(rewritten(tmp_path / "a.zip", change, leave_out), "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("position", [0.2, 0.5, 0.9])
def test_a_flipped_bit_and_a_cut_are_found(tmp_path, position):
    content = bytearray(BUNDLED.read_bytes())
    place = int(position * len(content))
    (tmp_path / "cut.zip").write_bytes(content[:place])
    content[place] ^= 4
    (tmp_path / "flipped.zip").write_bytes(content)
    for name in ("cut", "flipped"):
        with pytest.raises(CheckpointError, match="is damaged or not an exported model"):
            load_model(tmp_path / f"{name}.zip", "cpu")


def test_a_newer_format_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="has model format 99, this version reads 1; upgrade sketchy"):
        read_exported(rewritten(tmp_path / "a.zip", {"format": 99}))


def test_graphs_that_are_no_networks_are_told(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(BUNDLED) as source, zipfile.ZipFile(path, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, b"nothing" if name.endswith(".onnx") else source.read(name))
    model = load_model(path, "cpu")
    with pytest.raises(CheckpointError, match=r"the exported model cannot be used: .*; export it again"):
        model.engine.embed(np.zeros((1, 1, 160, 160), np.uint8), "sketch")


def test_the_export_beside_a_checkpoint_is_taken_while_it_belongs_to_it(trained, tmp_path):
    for name in ("best.pth", "best.zip", "last.pth"):
        shutil.copy(trained / "tiny" / name, tmp_path)
    best = tmp_path / "best.pth"
    assert find_exported(best) == tmp_path / "best.zip"
    assert load_model(best, "cpu").engine.name == "ONNX Runtime"
    assert load_model(best, "cpu").source == best
    assert find_exported(tmp_path / "last.pth") is None
    assert load_model(tmp_path / "last.pth", "cpu").engine.name == "PyTorch"
    shutil.copy(tmp_path / "last.pth", best)  # another training
    assert digest_of(best) != digest_of(trained / "tiny" / "best.pth")
    assert load_model(best, "cpu").engine.name == "PyTorch"


def test_anchors_that_embeddings_attend_to_are_held_once_and_both_engines_agree(tmp_path, named_checkpoint):
    plain = read_checkpoint(named_checkpoint)
    model = plain.config.model.model_copy(update={"anchors": AnchorsConfig(weight=1.0), "pretrained": True})
    terms = plain.config.terms.model_copy(update={"bridge_weight": 1.0})
    attending = replace(plain, config=plain.config.model_copy(update={"model": model, "terms": terms}))
    assert export_model(attending, tmp_path / "a.zip", "") < 1e-4
    exported = read_exported(tmp_path / "a.zip")
    assert all(WORDS in exported.graphs[kind].weights for kind in KINDS)
    again = read_checkpoint(tmp_path / "a.zip")
    assert again.fingerprint() == attending.fingerprint() != plain.fingerprint()
    pixels = np.random.default_rng(0).integers(0, 256, (3, *exported.description.preprocess.shape("photo")), np.uint8)
    by_onnx, by_torch, without = (
        OnnxEngine(exported).embed(pixels, "photo"),
        *(embed_pixels(one.encoder(), pixels, "photo").numpy() for one in (again, plain)),
    )
    np.testing.assert_allclose(by_onnx, by_torch, atol=1e-4)
    assert np.abs(by_torch - without).max() > 0.01
