#!/usr/bin/env python3
"""Make a checkpoint the bundled model: in 16 bit, without paths, its score calibrated as it is shipped, and exported.

Usage: .venv/bin/python scripts/bundle_model.py runs/a/best.pth --data DATASET
The score is fitted on the validation split of the dataset of the run, and on held-out images of its further sources;
see src/sketchy/evaluation/calibrate.py.
With --refit-spatial CONFIG, the spatial embedding is made anew by the settings of that config and fitted first, in
minutes and without training the network again; image.sketch_stretch and model.anchors are taken, too.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from sketchy.config import SpatialConfig
from sketchy.config_file import load_config
from sketchy.dataset.further import load_further
from sketchy.dataset.loader import Dataset, load_dataset
from sketchy.errors import CheckpointError
from sketchy.evaluation.lineage import warn_if_changed
from sketchy.inference.bundled import BUNDLED
from sketchy.inference.export import export_model
from sketchy.inference.torch_engine import read_checkpoint
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.progress import no_progress
from sketchy.trainer.complete import with_calibration, with_fitted_head

CPU = torch.device("cpu")


def bundle(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint fit to be shipped: half the size, without any path of the machine that trained it.

    Kernels and matrices become float16, which moves embeddings by about 0.001; statistics and biases, which are few and
    may be large, stay float32. Paths in the config are set back to their defaults.
    """
    return replace(
        checkpoint,
        config=checkpoint.config.with_paths(lambda path, default: True if default is False else default),
        weights={
            name: weight.half().contiguous() if weight.ndim > 1 else weight
            for name, weight in checkpoint.weights.items()
        },
        training=None,
    )


def with_spatial_config(checkpoint: Checkpoint, spatial: SpatialConfig) -> Checkpoint:
    """Give a checkpoint other settings of the spatial embedding, and a spatial head that is yet to be fitted.

    Dimensions of the embedding are added or taken away so that those before the spatial ones stay.

    Raises:
        CheckpointError: It has no spatial embedding.
        ConfigError: The settings do not fit its network.
    """
    model = checkpoint.config.model
    if model.spatial is None:
        raise CheckpointError("the checkpoint has no spatial embedding to fit again; train with model.spatial")
    size = model.embedding_size - model.spatial.size + spatial.size
    changed = model.model_copy(update={"spatial": spatial, "embedding_size": size})
    config = checkpoint.config.model_copy(update={"model": changed})
    fresh = build_encoder(config, load_pretrained=False).state_dict()
    head = {name: fresh[name] for name in ("head.cells.weight", "head.cells.bias", "head.share")}
    return replace(checkpoint, config=config, weights=checkpoint.weights | head, calibration=None, probes=None)


def refitted(checkpoint: Checkpoint, config: Path, settings: list[str], data: Dataset) -> Checkpoint:
    """Return a checkpoint with the spatial embedding of a config, fitted and validated on its dataset."""
    wanted = load_config(config, settings)
    spatial = wanted.model.spatial
    if spatial is None:
        raise SystemExit(f"{config} has no model.spatial; name another config")
    image = checkpoint.config.image.model_copy(update={"sketch_stretch": wanted.image.sketch_stretch})
    model = checkpoint.config.model.model_copy(update={"anchors": wanted.model.anchors})
    checkpoint = replace(checkpoint, config=checkpoint.config.model_copy(update={"image": image, "model": model}))
    fitted = with_fitted_head(with_spatial_config(checkpoint, spatial), data, CPU, no_progress)
    if fitted is None:
        raise SystemExit(f"{data.source.path}: no sketch traces one of several photos of its category")
    return fitted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--refit-spatial", type=Path, metavar="CONFIG", help="take model.spatial of this config")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of CONFIG")
    parser.add_argument("--data", type=Path, help="where the dataset of the run is now")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="the file to write; the bundled model by default")
    given = parser.parse_args()
    made = read_checkpoint(given.checkpoint)
    dataset = load_dataset(made.config, root=given.data)
    warn_if_changed(made, dataset)
    if given.refit_spatial:
        made = refitted(made, given.refit_spatial, given.set, dataset)
    made = with_calibration(bundle(made), dataset, load_further(made.config, dataset), CPU)
    if made.calibration is None:
        raise SystemExit(
            f"{dataset.source.path} has no validation split to calibrate the score on; name another --data"
        )
    export_model(made, given.out, "")
    metrics = "  ".join(f"{name} {value:.3f}" for name, value in made.metrics.items() if name.startswith("val_"))
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB  {metrics}")
