"""A writer that fills its disk; see `stress.store.disk`."""

import sys
from contextlib import closing
from pathlib import Path

from sketchy.errors import StorageError
from sketchy.retrieval.store.folder import open_to_write
from stress.photos import BATCH, IDENTITY, add, answers, batch


def fill(folder: Path) -> None:
    """Write until the disk is full, then search, make room and go on. Print the number of commits and the error."""
    with closing(open_to_write(folder / "index", IDENTITY)) as store:
        done = 0
        try:
            while True:
                add(store, batch(done))
                done += 1
        except StorageError as error:
            print(done, error)
        assert store.count() == done * BATCH, "a commit was lost"
        assert all(found[0].distance == 0 for found in answers(store, [0, done * BATCH - 1])), "a wrong answer"
        (folder / "ballast").unlink()
        add(store, batch(done))
        assert store.problems() == [], store.problems()


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
