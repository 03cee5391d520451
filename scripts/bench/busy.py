"""Embed photos over and over: `busy.py CHECKPOINT ENGINES SECONDS CGROUP PHOTO...`.

Prints a line when all is loaded, and the number of photos at the end. CGROUP is a folder that is taken for that of the
limits of a container; "-" takes the real one.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sketchy.inference import engine
from sketchy.retrieval.model import Model, load_model


def embed_until(model: Model, photos: list[Path], end: float) -> int:
    """Embed the photos again and again until a time of `time.monotonic`; return how many that were."""
    done = 0
    while time.monotonic() < end:
        done += len(model.embed_files(photos, "photo").paths)
    return done


def main(checkpoint: str, engines: str, seconds: str, cgroup: str, *paths: str) -> None:
    """Embed in a thread for each engine."""
    if cgroup != "-":
        engine.CGROUP = Path(cgroup)
    models = [load_model(Path(checkpoint), "cpu") for _ in range(int(engines))]
    photos = [Path(path) for path in paths]
    for model in models:
        model.embed_files(photos, "photo")
    print("ready", flush=True)
    end = time.monotonic() + float(seconds)
    with ThreadPoolExecutor(len(models)) as pool:
        print(sum(pool.map(lambda model: embed_until(model, photos, end), models)))


if __name__ == "__main__":
    main(*sys.argv[1:])
