"""Processes that write and read an index until they are killed."""

import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np

from sketchy.retrieval.store.embedded import Tuning
from sketchy.retrieval.store.folder import open_to_read, open_to_write
from stress.photos import BATCH, HALF, IDENTITY, SIZE, add, batch, batch_sizes, delete_half

COMPACTING = Tuning(waste_rows=400)
"""Has the writer compact its index every few commits."""


def write(pipe: Connection, index: Path, start: int) -> None:
    """Commit batches until killed, and acknowledge each commit."""
    store = open_to_write(index, IDENTITY, tuning=COMPACTING)
    pipe.send(("ready", start))
    for number in range(start, 10**6):
        add(store, batch(number))
        pipe.send(("added", number))
        delete_half(store, number)
        pipe.send(("halved", number))


def read(pipe: Connection, index: Path, seconds: float) -> None:
    """Search for some seconds, check that every state seen is that after a whole commit, and send how many there were.

    Args:
        pipe: Receives the number of searches and of states.
        index: The index folder.
        seconds: Time to search for; at least one search is made.
    """
    store, states, searches = open_to_read(index), set(), 0
    end = time.monotonic() + seconds
    while searches == 0 or time.monotonic() < end:
        found = {hit.path for hit in store.search(np.zeros(SIZE, np.float32), 10**6)}
        counts = batch_sizes(found)
        assert all(count == HALF for count in counts[:-1]), f"part of a commit was seen: {counts}"
        assert counts[-1] in (0, HALF, BATCH), f"part of a commit was seen: {counts}"
        states.add(len(found))
        searches += 1
    pipe.send((searches, len(states)))


def start(work: Callable[..., None], *arguments: object) -> tuple[SpawnProcess, Connection]:
    """Start one of the functions above in a process of its own; return it and the pipe of its messages."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, *arguments), daemon=True)
    process.start()
    sender.close()
    return process, receiver


def received(pipe: Connection) -> list[Any]:
    """Return the messages of a process until it ends."""
    messages = []
    with suppress(EOFError, OSError):  # OSError: killed within a message
        while True:
            messages.append(pipe.recv())
    return messages
