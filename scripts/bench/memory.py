"""The peak memory of commands; that of `embed` also for many photos, which are links to few."""

import tempfile
from pathlib import Path

from command import run_sketchy
from options import Options
from timing import Table


def measure(options: Options) -> Table:
    """Measure MiB, of processes that do nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        peaks = _train(options, work)
        peaks["evaluate"] = run_sketchy("evaluate", "--checkpoint", f"{work}/runs/e2/best.pth")
        model = ["--checkpoint", str(options.checkpoint)]
        photos = options.images("*.jpg")
        peaks["index"] = run_sketchy("index", str(photos[0].parents[1]), "--out", f"{work}/index", *model)
        query = ["retrieve", str(options.images("*.png")[0]), "--gallery", f"{work}/index"]
        peaks["retrieve"] = run_sketchy(*query, *model)
        for count in sorted({len(photos), options.photos}):
            many = _linked(photos, count, work / str(count))
            embed = ["embed", str(many), "--kind", "photo", "--out", f"{work}/{count}.npz"]
            peaks[f"embed, {count:,} photos"] = run_sketchy(*embed, *model)
    return {name: {"MiB": peak} for name, peak in peaks.items()}


def _train(options: Options, work: Path) -> dict[str, float]:
    """Train runs e1 and e2, of one and two epochs; the first one packs the dataset."""
    settings = [f"data.root={options.data}", f"data.cache={work}/cache", "model.pretrained=false", *options.settings]
    peaks = {}
    for epochs, name in (1, "train, 1 epoch, packing first"), (2, "train, 2 epochs"):
        train = ["train", "--config", str(options.config), "--runs", f"{work}/runs", "--name", f"e{epochs}"]
        for setting in (*settings, f"train.epochs={epochs}"):
            train += ["--set", setting]
        peaks[name] = run_sketchy(*train)
    return peaks


def _linked(photos: list[Path], count: int, folder: Path) -> Path:
    """Make a folder of so many links to photos."""
    folder.mkdir()
    for index in range(count):
        (folder / f"{index}.jpg").symlink_to(photos[index % len(photos)].resolve())
    return folder
