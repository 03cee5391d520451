"""The program: `sketchy`, `python -m sketchy`, and what `torchrun -m sketchy` starts."""

import atexit

from sketchy import interrupts


def main() -> None:
    """Listen to Ctrl-C before anything that takes long, also the imports, then run the command line."""
    atexit.register(interrupts.ignore)  # called last, when all threads have ended
    interrupts.quit_at_once()
    from sketchy.cli import main as run

    try:
        run()
    finally:
        interrupts.quit_at_once()  # the interpreter's own end is no work either


if __name__ == "__main__":
    main()
