#!/usr/bin/env python3
"""Measure the embedded store and its approximate index. See docs/benchmarks.md for the figures.

Usage: .venv/bin/python scripts/benchmark_index.py store|ann [--rows N] [--photos P.npz --sketches S.npz] [--work DIR]

store: rows per second, the first answer of a cold process, and exact search beside a bare matrix product.
ann: the approximate index beside exact search, in turns. With --photos and --sketches (made by `sketchy embed`) the
gallery is grown from those photos, by mixing neighbours, and searched with those sketches; without them both are drawn
at random around centres.
"""

import argparse
import hashlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.results import Hit
from sketchy.retrieval.store.approximate import PROPOSED, ann_path
from sketchy.retrieval.store.base import Identity, Photo, Vectors
from sketchy.retrieval.store.embedded import EmbeddedStore, Tuning
from sketchy.retrieval.store.folder import open_to_read, open_to_write

SIZE = 256
"""Numbers in an embedding that is drawn at random."""
BATCH = 5000
"""Photos a commit adds."""
TURN = 20
"""Queries of one kind before those of the other: a server, too, has many alike one after the other."""
COLD = """
import sys, time
started = time.perf_counter()
from pathlib import Path
import numpy as np
from sketchy.retrieval.store.folder import open_to_read
store = open_to_read(Path(sys.argv[1]))
query = np.random.default_rng(7).standard_normal(store.identity.size, np.float32)
store.search(query, 10)
print(time.perf_counter() - started)
"""
"""Prints the seconds to the first answer; a process of its own, which imports what a search needs and nothing else."""


@dataclass(frozen=True)
class Gallery:
    """Embeddings to measure with.

    Attributes:
        vectors: Makes the photos from one index up to another, shape (N, D), float32.
        queries: Shape (200, D), float32.
        probes: Other queries, with which the index is tuned when it is built; shape (Q, D), float32.
    """

    vectors: Callable[[int, int], Vectors]
    queries: Vectors
    probes: Vectors

    @property
    def identity(self) -> Identity:
        """The model that the index is made for."""
        return Identity("b" * 64, self.queries.shape[1], "benchmark")


def photos(start: int, stop: int) -> list[Photo]:
    """Return photos that are no files."""
    return [
        Photo(f"/photos/{n // 1000}/{n}.jpg", n, n, hashlib.sha256(str(n).encode()).hexdigest(), f"c{n % 125}")
        for n in range(start, stop)
    ]


def draw(rows: int, seed: int) -> Vectors:
    """Draw unit vectors around 500 centres, more alike in some directions than in others."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((500, SIZE), np.float32)
    deviation = 1.2 / (1 + np.arange(SIZE, dtype=np.float32) / 32)
    vectors = centres[rng.integers(0, 500, rows)] + rng.standard_normal((rows, SIZE), np.float32) * deviation
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def grow(real: Vectors, start: int, stop: int) -> Vectors:
    """Mix real photos, each with one of its 20 nearest; a mixture is as long as the photo."""
    rng, rows = np.random.default_rng(start), stop - start
    squares = (real * real).sum(1)
    near = np.argsort(squares[None] - 2 * real @ real.T, axis=1)[:, 1:21]
    one = rng.integers(0, len(real), rows)
    other = near[one, rng.integers(0, 20, rows)]
    share = rng.uniform(0, 0.5, (rows, 1)).astype(np.float32)
    mixed = (1 - share) * real[one] + share * real[other]
    mixed += 0.02 * rng.standard_normal(mixed.shape, np.float32) * real.std()
    scaled: Vectors = mixed * (np.linalg.norm(real[one], axis=1) / np.linalg.norm(mixed, axis=1))[:, np.newaxis]
    return scaled


def random_gallery() -> Gallery:
    """Return a gallery and queries that are drawn alike."""
    return Gallery(lambda start, stop: draw(stop - start, 10 + start), draw(200, 2), draw(200, 3))


def real_gallery(photos_file: Path, sketches_file: Path) -> Gallery:
    """Return a gallery that is grown from embedded photos, and embedded sketches as queries."""
    sketches = np.load(sketches_file)["embeddings"]
    sketches = sketches[np.random.default_rng(3).permutation(len(sketches))[:400]]
    return Gallery(partial(grow, np.load(photos_file)["embeddings"]), sketches[:200], sketches[200:])


def fill(folder: Path, gallery: Gallery, rows: int) -> float:
    """Fill an index, and return the seconds it took, without those of making the embeddings."""
    seconds = 0.0
    with closing(open_to_write(folder, gallery.identity)) as store:
        for start in range(0, rows, BATCH):
            stop = min(start + BATCH, rows)
            seconds += timed(partial(store.upsert, photos(start, stop), gallery.vectors(start, stop)))
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_store(work: Path, rows: int) -> None:
    """Print figures of adding, opening and searching exactly."""
    vectors = draw(rows, 1)
    gallery = Gallery(lambda start, stop: vectors[start:stop], draw(25, 2), draw(1, 3))
    seconds = fill(work / "index", gallery, rows)
    print(f"{rows:,} x {SIZE}: {rows / seconds:,.0f} rows per second added, in commits of {BATCH:,}")
    command = [sys.executable, "-c", COLD, str(work / "index")]
    cold = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(7)]
    print(
        f"cold process, imports, opening and first answer with checksums: {statistics.median(cold):.3f} s "
        f"(least {min(cold):.3f})"
    )
    ours, bare = [], []
    with closing(open_to_read(work / "index")) as store:
        for query in gallery.queries:
            ours.append(timed(partial(store.search, query, 10)))
            bare.append(timed(partial(search_bare, vectors, query)))
    ours, bare = ours[5:], bare[5:]  # the first ones check the vectors
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    print(
        f"exact search {milliseconds(ours)} ms, bare matrix product and topk {milliseconds(bare)} ms; "
        f"ratio in turns {ratio:.2f}"
    )


def search_bare(vectors: Vectors, query: Vectors) -> NDArray[np.int64]:
    """Return the ten rows of the largest products."""
    scores = vectors @ query
    best = np.argpartition(scores, -10)[-10:]
    ranked: NDArray[np.int64] = best[np.argsort(-scores[best])]
    return ranked


def measure_ann(work: Path, rows: int, gallery: Gallery) -> None:
    """Print figures of the approximate index beside exact search."""
    index = work / "index"
    fill(index, gallery, rows)
    with closing(open_to_write(index, gallery.identity, tuning=Tuning(approximate_from=0))) as store:
        seconds = timed(lambda: store.improve(gallery.probes))
        meta = store.meta()
    print(f"built in {seconds:.0f} s: {meta.ann_size / 1e6:,.0f} MB beside {rows * meta.size * 4 / 1e6:,.0f} MB")
    exact: list[list[Hit]] = []
    near: list[list[Hit]] = []
    slow: list[float] = []
    fast: list[float] = []
    with closing(open_to_read(index)) as store, closing(open_to_read(index)) as other:  # each checks what it reads
        before = resident()
        first = timed(lambda: store.search(gallery.queries[0], 10))
        print(f"first answer {1000 * first:.0f} ms, after which {resident() - before:,} MB more are in memory")
        other.search(gallery.queries[0], 10, exact=True)  # checks the vectors
        for start in range(0, len(gallery.queries), TURN):
            turn = gallery.queries[start : start + TURN]
            slow.append(timed(partial(search_all, other, turn, exact, exactly=True)))
            fast.append(timed(partial(search_all, store, turn, near, exactly=False)))
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    truth = rows_of(exact)
    print(
        f"exact {milliseconds(slow, TURN)} ms, approximate {milliseconds(fast, TURN)} ms, ratio in turns of {TURN} "
        f"{statistics.median(ratios):.1f} (least {min(ratios):.1f}); recall@10 {recall(rows_of(near), truth):.4f}"
    )
    measure_cells(ann_path(index, meta.generation), gallery.queries, truth)


def search_all(store: EmbeddedStore, queries: Vectors, found: list[list[Hit]], *, exactly: bool) -> None:
    """Append the ten hits of each query to what was found."""
    found += [store.search(query, 10, exact=exactly) for query in queries]


def measure_cells(file: Path, queries: Vectors, truth: NDArray[np.int64]) -> None:
    """Print the recall if a search looked into more or fewer cells.

    What the approximate index proposes is measured exactly, so that a row is found if it is among the proposals.
    """
    import faiss

    index = faiss.read_index(str(file))
    print(f"{index.nprobe} of {index.nlist} cells are searched; with others:")
    for cells in (4, 8, 16, 32, 64, 128, 256):
        index.nprobe = cells
        _, proposed = index.search(queries, PROPOSED * 10 + 32)  # as many as a search for ten photos has proposed
        print(f"  {cells} cells: recall@10 {recall(proposed, truth):.4f}")


def rows_of(found: list[list[Hit]]) -> NDArray[np.int64]:
    """Return the rows of ten hits a query, shape (Q, 10): photos were added in the order of their names."""
    return np.array([[int(Path(hit.path).stem) for hit in hits] for hits in found], np.int64)


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the share of the true rows, shape (Q, 10), that are among those found, shape (Q, n)."""
    return statistics.fmean(np.isin(b, a).mean() for a, b in zip(found, truth, strict=True))


def resident() -> int:
    """Return the memory of this process in MB, mapped pages of files left out (Linux)."""
    pages = [int(number) for number in Path("/proc/self/statm").read_text().split()]
    return (pages[1] - pages[2]) * resource.getpagesize() // 2**20


def milliseconds(seconds: list[float], each: int = 1) -> str:
    """Format the median, for one of `each` things that were timed together."""
    return f"{1000 * statistics.median(seconds) / each:.2f}"


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["store", "ann"])
    parser.add_argument("--rows", type=int, help="photos; default: 100,000 for store, 1,000,000 for ann")
    parser.add_argument("--photos", type=Path, help="embedded photos that the gallery of ann is grown from")
    parser.add_argument("--sketches", type=Path, help="embedded sketches that ann is searched with")
    parser.add_argument("--work", type=Path, help="folder for what is made; emptied afterwards")
    given = parser.parse_args()
    if (given.photos is None) != (given.sketches is None):
        parser.error("give --photos and --sketches together")
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        if given.what == "store":
            measure_store(Path(work), given.rows or 100_000)
        else:
            gallery = real_gallery(given.photos, given.sketches) if given.photos else random_gallery()
            measure_ann(Path(work), given.rows or 1_000_000, gallery)


if __name__ == "__main__":
    main()
