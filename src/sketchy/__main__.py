"""`python -m sketchy`, which is also what `torchrun -m sketchy` starts."""

from sketchy.cli import main

if __name__ == "__main__":
    main()
