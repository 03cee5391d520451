"""The program: `sketchy`, `python -m sketchy`, and what `torchrun -m sketchy` starts."""

import atexit
import os

from sketchy import interrupts


def main() -> None:
    """Listen to Ctrl-C before anything that takes long, also the imports, then run the command line."""
    atexit.register(interrupts.ignore)  # called last, when all threads have ended
    interrupts.quit_at_once()
    from sketchy.cli import main as run

    try:
        run()
    except SystemExit as ended:
        if os.environ.get("WORLD_SIZE", "1") != "1":
            # DistributedDataParallel never frees the threads of gloo, which can abort a normal exit.
            os._exit(int(ended.code or 0))
        raise


if __name__ == "__main__":
    main()
