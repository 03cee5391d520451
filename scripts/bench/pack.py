"""Packing a dataset, beside decoding its files alone and beside a loop over them."""

import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from decoding import decode_all
from options import Options
from sketchy.config_file import load_config
from sketchy.dataset.pack import open_pack
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import open_source
from sketchy.errors import ImageError
from sketchy.preprocess import build_preprocess
from timing import Table, in_turns


def measure(options: Options) -> Table:
    """Measure images per second."""
    config = load_config(options.config, [f"data.root={options.data}", *options.settings])
    source = open_source(options.data)
    listing = find_records(source)
    preprocess = build_preprocess(config.image)

    def pack() -> float:
        with tempfile.TemporaryDirectory() as cache:
            started = time.perf_counter()
            open_pack(source, listing, preprocess, Path(cache))
            return time.perf_counter() - started

    def one_by_one() -> None:
        for record in listing.records:
            with suppress(ImageError):
                preprocess.load(source.read(record.name), record.kind)

    reads = [partial(source.read, record.name) for record in listing.records]
    variants = {
        "packing": pack,
        "decoding alone, on all cores": lambda: decode_all(reads, config.image.size),
        "one by one": one_by_one,
    }
    return in_turns(variants, len(reads), options.turns)
