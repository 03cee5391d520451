#!/usr/bin/env python3
"""Harm an index folder in many ways, and compare it with what was committed. See docs/reliability.md for the figures.

Usage: .venv/bin/python scripts/stress_test.py [NAME ...] [--seed N] [--work DIR] [--quick]

kills       kill the writer at random moments
damage      flip bits in, cut and delete each file
disk        fill the disk
writers     start a second writer, and one after the first was killed
readers     search while another process writes
changing    change, remove and replace photos by folders while they are indexed
many_files  index a folder of many photos

Without a name, all of them, in about ten minutes. Prints a line for each; exits with 1 if one of them failed.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from sketchy.errors import SketchyError
from stress.command import changing, many_files
from stress.load import FULL, QUICK
from stress.store import damage, disk, kills, readers, writers

TESTS = {test.__name__: test for test in (kills, damage, disk, writers, readers, changing, many_files)}


def main() -> int:
    """Run the tests that were asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *TESTS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder for what is made; emptied afterwards")
    parser.add_argument("--quick", action="store_true", help="do less of everything, only to see that it runs")
    given = parser.parse_args()
    failed = 0
    for name in given.names or TESTS:
        with tempfile.TemporaryDirectory(dir=given.work) as work:
            started = time.perf_counter()
            try:
                line = TESTS[name](Path(work).resolve(), QUICK if given.quick else FULL, random.Random(given.seed))
            except (AssertionError, SketchyError) as error:
                failed, line = 1, f"FAILED: {error}"
        print(f"{name}: {line} [{time.perf_counter() - started:.0f} s]", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
