"""What is done to photos while `sketchy index` indexes them, and folders of many photos.

Each function returns what was seen, and raises AssertionError where something was lost or wrong.
"""

import os
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from PIL import Image

from sketchy.retrieval.store.folder import open_to_read
from stress.load import Load


def changing(work: Path, load: Load, chance: random.Random) -> str:
    """Change, remove and replace photos by folders while they are indexed; then index them once more, undisturbed."""
    folder, checkpoint = work / "photos", save_model(work)
    folder.mkdir()
    for index in range(load.changing):
        Image.effect_noise((24, 24), index % 200 + 1).save(folder / f"{index:04}.png")
    counts = dict.fromkeys(("changed", "removed", "replaced by a folder"), 0)
    process = start_indexing(folder, work / "index", checkpoint)
    while process.poll() is None and not (work / "index").exists():
        time.sleep(0.01)
    while process.poll() is None:
        file = folder / f"{chance.randrange(load.changing):04}.png"
        if file.is_file():
            how = chance.choice(list(counts))
            harm(file, how, chance)
            counts[how] += 1
            time.sleep(0.004)
    assert process.returncode == 0, log_of(work / "index")
    for name in ("index", "fresh"):
        assert start_indexing(folder, work / name, checkpoint).wait() == 0, log_of(work / name)
    again, fresh = contents(work / "index"), contents(work / "fresh")
    assert again == fresh, "the index is not that of the folder"
    done = ", ".join(f"{count} {how}" for how, count in counts.items())
    return f"{load.changing:,} photos, meanwhile {done}: the next run gave the {len(fresh)} photos of a fresh index"


def harm(file: Path, how: str, chance: random.Random) -> None:
    """Change a photo, remove it, or replace it by a folder."""
    if how == "changed":
        Image.effect_noise((24, 24), chance.uniform(1, 200)).save(file)
    else:
        file.unlink()
    if how == "replaced by a folder":
        file.mkdir()


def many_files(work: Path, load: Load, chance: random.Random) -> str:
    """Index many files in one folder, and again when nothing changed."""
    folder, checkpoint, seen, made = work / "photos", save_model(work), [], 0
    folder.mkdir()
    for total in load.files:
        for index in range(made, total):
            color = (index % 256, index // 256 % 256, index // 65536)
            Image.new("RGB", (32, 32), color).save(folder / f"{index:06}.bmp")
        made, out = total, work / f"index{total}"
        for what in ("first", "again"):
            started = time.perf_counter()
            process = start_indexing(folder, out, checkpoint)
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, log_of(out)
            seconds, peak = time.perf_counter() - started, usage.ru_maxrss // 1024
            seen.append(f"{total:,} {what}: {seconds:.0f} s, {peak} MB")
        assert len(contents(out)) == total, "a photo is missing"
    return "; ".join(seen) + " (peak memory, PyTorch's own included)"


def save_model(work: Path) -> Path:
    """Save a small network that was never trained."""
    # Imported here: it takes seconds, and every process that a test starts imports this module.
    import torch

    from sketchy.config_file import parse_config
    from sketchy.model.checkpoint import Checkpoint, save_checkpoint
    from sketchy.model.encoder import build_encoder

    torch.manual_seed(0)
    config = parse_config({"image": {"size": 16}, "model": {"embedding_size": 64}}, "stress test")
    save_checkpoint(work / "model.pth", Checkpoint(config, (), 0, {}, build_encoder(config).state_dict()))
    return work / "model.pth"


def start_indexing(folder: Path, out: Path, checkpoint: Path) -> "subprocess.Popen[bytes]":
    """Start `sketchy index`."""
    words = ["-m", "sketchy", "index", str(folder), "--out", str(out), "--checkpoint", str(checkpoint)]
    with out.with_suffix(".log").open("w") as log:
        return subprocess.Popen([sys.executable, *words, "--device", "cpu"], stdout=subprocess.DEVNULL, stderr=log)


def log_of(out: Path) -> str:
    """Return what the last `sketchy index` of an index wrote to stderr."""
    return out.with_suffix(".log").read_text()


def contents(index: Path) -> dict[str, str]:
    """Return the hash of each photo of an index, by path, and check that the index is whole."""
    with closing(open_to_read(index)) as store:
        assert store.problems() == [], store.problems()
        return {photo.path: photo.content for batch in store.scan() for photo in batch}
