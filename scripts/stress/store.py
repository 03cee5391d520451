"""What is done to an index folder.

Each function returns what was seen, and raises AssertionError where something was lost or wrong.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from sketchy.errors import DamagedError, LockedError
from sketchy.results import Hit
from sketchy.retrieval.store.folder import open_to_read, open_to_write
from stress.load import Load
from stress.photos import BATCH, HALF, IDENTITY, add, answers, batch_sizes, delete_half, index_of, photos, vectors
from stress.processes import COMPACTING, read, received, start, write

SCRIPTS = Path(__file__).parents[1]
COMMITS = ("added", "halved")
"""What the writer sends after each commit, with the number of the batch."""
ASKED = range(1, 2000, 97)
"""The photos that a damaged index is searched for."""
FILL = """
mount -t tmpfs -o size=6m none "$0" &&
head -c 1000000 /dev/zero > "$0/ballast" &&
exec "$1" -m stress.fill "$0"
"""
"""Fills a disk of 6 MB, $0, in a namespace of its own."""


def kills(work: Path, load: Load, chance: random.Random) -> str:
    """Kill the writer, many times, and compare the index with the commits that it acknowledged."""
    index, first, acknowledged, more, generation = work / "index", 0, 0, 0, 1
    for _ in range(load.kills):
        process, pipe = start(write, index, first)
        assert pipe.recv()[0] == "ready"
        time.sleep(chance.uniform(0.0, 0.25))
        process.kill()
        messages = received(pipe)
        process.join()
        acknowledged += len(messages)
        added, halved = (max((n for what, n in messages if what == name), default=first - 1) for name in COMMITS)
        with closing(open_to_write(index, IDENTITY, tuning=COMPACTING)) as store:
            assert store.problems() == [], store.problems()
            present = [photo.path for some in store.scan() for photo in some]
            counts = batch_sizes(present, added + 1)
            more += compare(counts, added, halved)
            for path in chance.sample(present, min(3, len(present))):
                assert store.search(vectors([index_of(path)])[0], 1)[0].path == path, "a wrong answer"
            if len(counts) - 1 > halved:  # finish what was interrupted
                delete_half(store, len(counts) - 1)
            first, generation = len(counts), store.meta().generation
    return (
        f"{load.kills} kills, {acknowledged} acknowledged commits, none lost or torn; {more} more were kept that the "
        f"writer could not acknowledge before it was killed; {generation - 1} compactions"
    )


def compare(counts: list[int], added: int, halved: int) -> int:
    """Compare an index with what its writer acknowledged, and return how many more commits it has.

    Args:
        counts: Photos of each batch in the index.
        added: The last batch whose addition was acknowledged.
        halved: The last batch of which half was deleted, as was acknowledged.
    """
    more = 0
    assert len(counts) <= added + 2, f"batch {len(counts) - 1} is there, and {added} was the last one acknowledged"
    for number, count in enumerate(counts):
        expected = (HALF,) if number <= halved else (BATCH, HALF)
        assert count in expected, f"batch {number} has {count} photos, not {expected}"
        more += (number > added) + (number > halved and count == HALF)
    return more


def damage(work: Path, load: Load, chance: random.Random) -> str:
    """Damage each file: the answer is the true one, or an error that names the remedy."""
    index, copy = work / "index", work / "copy"
    with closing(open_to_write(index, IDENTITY)) as store:
        for begin in range(0, 2000, 500):
            add(store, range(begin, begin + 500))
        store.delete([photo.path for photo in photos(range(0, 2000, 9))])
        truth = answers(store, ASKED)
    names = [file.name for file in sorted(index.iterdir())]
    hows = ["delete", *["cut"] * load.cuts, *["flip"] * load.flips]
    seen: Counter[str] = Counter()
    for name in names:
        for how in hows:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(index, copy)
            harm(copy / name, how, chance)
            seen[search_damaged(copy, truth)] += 1
            with closing(open_to_write(copy, IDENTITY, force=True)) as store:
                add(store, range(10))
                assert answers(store, [3])[0][0].distance == 0, "not rebuilt"
    figures = ", ".join(f"{count} {what}" for what, count in seen.items())
    return f"{len(names)} files x {len(hows)} damages: {figures}; no wrong answer; all rebuilt with --force"


def search_damaged(index: Path, truth: list[list[Hit]]) -> str:
    """Search an index that is damaged, and return what came of it."""
    try:
        with closing(open_to_read(index, IDENTITY)) as store:
            assert answers(store, ASKED) == truth, "a wrong answer"
            return "right answers beside damage that --verify finds" if store.problems() else "right answers"
    except DamagedError as error:
        message = str(error)
    assert f"sketchy index PHOTOS --out {index} --force" in message, message
    return "errors at once"


def harm(file: Path, how: str, chance: random.Random) -> None:
    """Delete a file, cut it or flip one of its bits."""
    content = bytearray(file.read_bytes())
    if how == "delete":
        file.unlink()
    elif content and how == "cut":
        os.truncate(file, chance.randrange(len(content)))
    elif content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)


def disk(work: Path, load: Load, chance: random.Random) -> str:
    """Fill a small disk, where the system lets us mount one."""
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", FILL, str(work), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPTS)
    if "unshare" in done.stderr or "mount" in done.stderr:
        return f"not tried, since this machine does not allow it: {done.stderr.strip()}"
    assert done.returncode == 0, done.stderr
    commits, _, error = done.stdout.partition(" ")
    assert "free some space there and run the command again" in error, error
    return f"full after {commits} commits: all of them kept, the next one an error, and done when there was room"


def writers(work: Path, load: Load, chance: random.Random) -> str:
    """Start a second writer, and one more after the first was killed."""
    process, pipe = start(write, work / "index", 0)
    pipe.recv()
    try:
        open_to_write(work / "index", IDENTITY)
    except LockedError as error:
        message = str(error).replace(str(work), "...")
    else:
        raise AssertionError("two writers")
    process.kill()
    process.join()
    open_to_write(work / "index", IDENTITY).close()
    return f"the second is refused ({message!r}); a killed one leaves no lock"


def readers(work: Path, load: Load, chance: random.Random) -> str:
    """Search in four processes while one writes, deletes and compacts."""
    writer, commits = start(write, work / "index", 0)
    commits.recv()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(received, commits)
        searching = [start(read, work / "index", load.seconds) for _ in range(4)]
        seen = [message for _, pipe in searching for message in received(pipe)]
        writer.kill()
    writer.join()
    assert len(seen) == 4, "a reader failed; its message stands above"
    with closing(open_to_write(work / "index", IDENTITY)) as store:
        generation = store.meta().generation
    return (
        f"{sum(count for count, _ in seen)} answers of 4 readers over up to {max(states for _, states in seen)} states "
        f"and {generation - 1} compactions: all of a whole commit"
    )
