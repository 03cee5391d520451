#!/usr/bin/env python3
"""Make a checkpoint the bundled model: exported, in 16 bit, without any path.

Usage: .venv/bin/python scripts/bundle_model.py runs/a/best.pth
"""

import sys
from pathlib import Path

from sketchy.inference.bundled import BUNDLED, bundle
from sketchy.inference.export import export_model
from sketchy.inference.torch_engine import read_checkpoint

if __name__ == "__main__":
    checkpoint = read_checkpoint(Path(sys.argv[1]))
    if checkpoint.calibration is None:
        raise SystemExit(f"{sys.argv[1]} has no calibrated score; take the best.pth of a finished run")
    export_model(bundle(checkpoint), BUNDLED, "")
    print(f"{BUNDLED}: {BUNDLED.stat().st_size / 1e6:.1f} MB")
