#!/usr/bin/env python3
"""Make a checkpoint the model that comes with the package: 16-bit, without the state of its training or any path.

Usage: .venv/bin/python scripts/bundle_model.py runs/a/best.pth
"""

import sys
from pathlib import Path

from sketchy.model.boxed import BOXED, for_the_box
from sketchy.model.checkpoint import load_checkpoint, save_checkpoint

if __name__ == "__main__":
    checkpoint = load_checkpoint(Path(sys.argv[1]))
    if checkpoint.calibration is None:
        raise SystemExit(f"{sys.argv[1]} has no calibrated score; take the best.pth of a finished run")
    save_checkpoint(BOXED, for_the_box(checkpoint))
    print(f"{BOXED}: {BOXED.stat().st_size / 1e6:.1f} MB")
