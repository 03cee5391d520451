"""The command line, which then prints its peak memory in KiB as the last line of stderr (Linux).

What the operating system reports to a parent process is never less than the memory of the parent itself.
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
