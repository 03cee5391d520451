#!/usr/bin/env python3
"""Print, as Markdown, which categories a checkpoint confuses and its best and worst queries, by names alone.

Usage: .venv/bin/python scripts/show_failures.py runs/a/best.pth [DATASET]
`sketchy evaluate --report FOLDER` shows the same with pictures.
"""

import sys
from pathlib import Path

from sketchy.dataset.loader import load_dataset
from sketchy.evaluation.charts import Focus, category_bars, confusion, heat_map
from sketchy.evaluation.evaluate import EvaluationDetails, evaluate_subset
from sketchy.evaluation.examples import pick_examples
from sketchy.inference.torch_engine import read_checkpoint

NAMED = 10
"""Best categories that are listed, and as many worst."""
NEAREST = 6
"""Nearest photos that are listed for each query."""


def show(checkpoint: Path, root: Path | None) -> None:
    """Evaluate on the test split and print the tables."""
    loaded = read_checkpoint(checkpoint)
    data = load_dataset(loaded.config, root=root)
    details = evaluate_subset(loaded.encoder(), data, data.parts["test"])
    names, focus = data.pack.categories, Focus.of(details)
    bars = category_bars(details, focus, names)
    for title, ends in (("Worst", bars[-NAMED:][::-1]), ("Best", bars[:NAMED])):
        print(f"{title} categories by mAP: {', '.join(f'{bar.name} {bar.share:.2f}' for bar in ends)}\n")
    print("| sketches of | find photos of | share of the nearest |\n| --- | --- | ---: |")
    for mistake in heat_map(*confusion(details, focus.counted), names).mistakes:
        print(f"| {mistake.sketches} | {mistake.photos} | {mistake.share:.0%} |")
    for title, queries in zip(("Best", "Worst"), pick_examples(details, focus), strict=True):
        print(f"\n| {title.lower()} queries | average precision | photos of their category | nearest photos |")
        print("| --- | ---: | ---: | --- |")
        for query in queries:
            print(_row(details, names, query))


def _row(details: EvaluationDetails, names: tuple[str, ...], query: int) -> str:
    scores = details.scores
    nearest = details.gallery_categories[scores.nearest[query][:NEAREST]].tolist()
    own = names[int(details.queries.categories[query])]
    found = ", ".join(names[category] for category in nearest)
    precision = float(scores.metrics["map_all"][query])
    return f"| {own} | {precision:.2f} | {int(scores.relevant[query])} | {found} |"


if __name__ == "__main__":
    show(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
