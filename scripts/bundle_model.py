#!/usr/bin/env python3
"""Make a checkpoint the bundled model: 16-bit, without the state of its training or any path.

Usage: .venv/bin/python scripts/bundle-model runs/a/best.pth
"""

import sys
from pathlib import Path

from sketchy.model.bundled import BUNDLED, bundle
from sketchy.model.checkpoint import load_checkpoint, save_checkpoint

if __name__ == "__main__":
    checkpoint = load_checkpoint(Path(sys.argv[1]))
    if checkpoint.calibration is None:
        raise SystemExit(f"{sys.argv[1]} has no calibrated score; take the best.pth of a finished run")
    save_checkpoint(BUNDLED, bundle(checkpoint))
    print(f"{BUNDLED}: {BUNDLED.stat().st_size / 1e6:.1f} MB")
