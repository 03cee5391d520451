"""The command line, which then prints its peak memory in KiB as the last line of stderr (Linux).

The operating system tells it to a parent process too, but never less than what the parent itself held.
"""

import sys
from pathlib import Path

from sketchy.cli import main

if __name__ == "__main__":
    try:
        main()
    finally:
        status = Path("/proc/self/status").read_text()
        print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
