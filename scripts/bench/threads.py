"""Threads: what embedding and `serve` use of the cores with one and with all of them, as /proc tells (Linux)."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from command import run_sketchy, served
from options import Options
from sketchy.errors import SketchyError
from timing import Row, Table

BUSY = Path(__file__).with_name("busy.py")
CLIENTS = 8
PHOTOS = 64
SAMPLED = 0.02
"""Seconds between two looks at the threads of a process."""
TICKS = os.sysconf("SC_CLK_TCK")


def measure(options: Options) -> Table:
    """Measure items per second, threads, and the cores that they use together."""
    seconds = 0.5 if options.quick else 6
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cpu.max").write_text("100000 100000")
        return {
            f"embed, all cores ({cores})": embedding(options, seconds),
            "embed, OMP_NUM_THREADS=1": embedding(options, seconds, {"OMP_NUM_THREADS": "1"}),
            "embed, one core (affinity)": embedding(options, seconds, one_core=True),
            "embed, container with a quota of one core": embedding(options, seconds, cgroup=folder),
            "embed, two engines in one process": embedding(options, seconds, engines=2),
            f"serve, {CLIENTS} clients at once": serving(options, seconds),
        }


def embedding(
    options: Options,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    *,
    engines: int = 1,
    one_core: bool = False,
    cgroup: str = "-",
) -> Row:
    """Embed photos in a process of its own, with one engine or several at once."""
    core = min(os.sched_getaffinity(0))
    photos = options.images("*.jpg")[:PHOTOS]
    command = [sys.executable, *map(str, (BUSY, options.checkpoint, engines, seconds, cgroup, *photos))]
    if one_core:
        command = ["taskset", "--cpu-list", str(core), *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | (environment or {})) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with watched(process.pid) as row:
            done = process.stdout.readline()
    if not done:
        raise SketchyError(f"{BUSY} failed")
    return {"a second": int(done) / seconds} | row


def serving(options: Options, seconds: float) -> Row:
    """Let clients draw all the time."""
    photos, sketches = options.images("*.jpg")[0].parent, options.images("*.png")[:CLIENTS]
    with tempfile.TemporaryDirectory() as work:
        run_sketchy("index", str(photos), "--out", f"{work}/index", "--checkpoint", str(options.checkpoint))
        with served(f"{work}/index", options.checkpoint) as (pid, address), watched(pid) as row:
            end = time.monotonic() + seconds
            with ThreadPoolExecutor(CLIENTS) as pool:
                answers = sum(pool.map(lambda sketch: search_until(address, sketch, end), sketches))
    return {"a second": answers / seconds} | row


def search_until(address: str, sketch: Path, end: float) -> int:
    """Search for a sketch again and again until a time of `time.monotonic`; return the number of answers."""
    answers, content = 0, sketch.read_bytes()
    while time.monotonic() < end:
        request = urllib.request.Request(f"{address.rstrip('/')}/api/search", content, {"Content-Type": "image/png"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answers += bool(response.read())
    return answers


@contextmanager
def watched(pid: int) -> Iterator[Row]:
    """Watch the threads of a process; the row is complete when the block ends.

    Its columns: the most threads; how many of them run or wait for a core, on average; and the cores that they use.
    """
    row: Row = {}
    counts: list[tuple[int, int]] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLED):
            states = states_of(pid)
            counts.append((len(states), states.count("R")))

    sampler = threading.Thread(target=sample)
    began, used = time.monotonic(), processor_seconds(pid)
    sampler.start()
    try:
        yield row
    finally:
        used, wall = processor_seconds(pid) - used, time.monotonic() - began
        stop.set()
        sampler.join()
    row["threads"] = max((count for count, _ in counts), default=0)
    row["runnable"] = statistics.fmean(running for _, running in counts) if counts else 0
    row["cores used"] = used / wall


def states_of(pid: int) -> list[str]:
    """Return the state of each thread of a process: "R" runs or waits for a core."""
    states = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
        except OSError:  # it has ended
            continue
    return states


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
