#!/usr/bin/env python3
"""Measure how close Sketchy comes to what the machine can do. See docs/benchmarks.md for the figures.

Usage: .venv/bin/python scripts/bench [SECTION ...] [--data DIR] [--config FILE] [--checkpoint FILE] [--quick] [--json]
                                      [--out FILE]

train      our epoch, beside the same step on a batch that is ready, and beside the loop of a notebook
pack       packing a dataset, beside decoding its files alone and a loop over them
embed      embedding photos, beside PyTorch, decoding alone, the forward pass alone and a loop over them
index      indexing photos of 256 px and of 12 megapixels, beside the engine alone and beside decoding alone
search     an exact search, beside one matrix product and a partial sort
start      the command line, beside importing torch
memory     the peak memory of commands; that of embed also for many photos, which are links to few
threads    embedding with one core and with all, two engines in one process, and `serve` with many clients
scaling    training by several processes, and on machines with GPUs by 1 to all of them, in both ways
gpu        one GPU: its ceilings, steps of two configs computed in all ways, a whole epoch, embedding, kernels

Variants take turns; a figure is the median over the turns, with the least and the most. Without sections all are
measured but scaling, which trains for two epochs a line, and gpu, which takes minutes. DIR is a dataset; a demo set
is drawn if none is named.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import embed
import gpu
import index
import memory
import pack
import scaling
import search
import start
import threads
import train
from options import Options
from sketchy.demo import draw_dataset
from sketchy.errors import SketchyError
from sketchy.inference.bundled import BUNDLED
from sketchy.storage import write_text
from timing import Table

SECTIONS = {
    "train": train.measure,
    "pack": pack.measure,
    "embed": embed.measure,
    "index": index.measure,
    "search": search.measure,
    "start": start.measure,
    "memory": memory.measure,
    "threads": threads.measure,
    "scaling": scaling.measure,
}


def main() -> None:
    """Measure the sections that were asked for and print a table of each."""
    given = parse_arguments()
    names = given.sections or [name for name in SECTIONS if name != "scaling"]  # nor gpu
    tables: dict[str, Table] = {}
    with tempfile.TemporaryDirectory() as work:
        options = Options(
            data=given.data or Path(work, "demo"),
            config=given.config,
            settings=tuple(given.settings),
            checkpoint=given.checkpoint,
            photos=given.photos or (1000 if given.quick else 10_000),
            turns=given.turns or (2 if given.quick else 5),
            quick=given.quick,
        )
        if given.data is None:
            draw_dataset(options.data, photos=30)
        for name in names:
            found = gpu.measure(options) if name == "gpu" else {name: SECTIONS[name](options)}
            tables |= found
            for title, table in () if given.json else found.items():
                print(f"\n{title}\n\n{as_markdown(table)}", flush=True)
    text = json.dumps(tables, indent=2)
    if given.json:
        print(text)
    if given.out:
        write_text(given.out, text)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", choices=[[], *SECTIONS, "gpu"])
    parser.add_argument("--data", type=Path, help="the dataset; a demo set is drawn if none is named")
    parser.add_argument("--config", type=Path, default=Path("configs/default.yaml"), help="config of train and pack")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting of the config")
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED, help="model of embed and start")
    parser.add_argument("--photos", type=int, help="photos that memory embeds; default: 10,000, with --quick 1,000")
    parser.add_argument("--turns", type=int, help="default: 5, with --quick 2")
    parser.add_argument("--quick", action="store_true", help="do less of everything, only to see that it runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, help="also write the JSON object to this file")
    return parser.parse_args()


def as_markdown(table: Table) -> str:
    """Format a table, each figure with three digits."""
    columns = list(next(iter(table.values())))
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for name, row in table.items():
        lines.append(f"| {name} | {' | '.join(f'{row[column]:,.3g}' for column in columns)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except SketchyError as error:
        sys.exit(f"error: {error}")
