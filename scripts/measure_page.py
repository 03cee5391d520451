#!/usr/bin/env python3
"""Measure, in a browser, how long a stroke takes to become photos. Usage: scripts/measure_page.py ADDRESS [--strokes N]

Start `sketchy serve` first, on a machine with nothing else to do. Strokes are drawn with the mouse at a person's pace;
a time runs from the end of a stroke to the frame that shows the places of its photos, and to the one that shows all
photos in view, as the page itself notes in the browser's timeline. A hand either lifts the pen as soon as the stroke is
drawn, so that all work is still to be done, or rests before. Prints the median and the 95th percentile, and the
server's own shares from its Server-Timing header.
"""

import argparse
import os
import random
import re
import shutil
import statistics

from playwright.sync_api import Page, Response, sync_playwright

RESTS = {"lifted at once": 0, "lifted after 200 ms": 200}
"""Milliseconds between the last movement of a stroke and its end."""
NAMES = ("stroke to results", "stroke to photos")
TIMES = "(name) => performance.getEntriesByName(name).at(-1).duration"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def draw(page: Page, generator: random.Random, rest: int) -> None:
    """Draw one wandering stroke in about half a second, and rest some milliseconds before its end."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    places = [
        (box["x"] + generator.random() * box["width"], box["y"] + generator.random() * box["height"]) for _ in "abc"
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.wait_for_timeout(200)
        page.mouse.move(*place, steps=12)
    if rest:
        page.wait_for_timeout(rest)
    page.mouse.up()


def row(name: str, values: list[float]) -> str:
    """Write median, 95th percentile and largest value of milliseconds."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"{name:<22} {statistics.median(ordered):8.1f} {high:8.1f} {ordered[-1]:8.1f}"


def measure(address: str, strokes: int, rest: int) -> str:
    """Draw, and return a table."""
    generator = random.Random(0)
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    shares: dict[str, list[float]] = {}

    def note(response: Response) -> None:
        for name, value in re.findall(r"(\w+);dur=([\d.]+)", response.headers.get("server-timing", "")):
            shares.setdefault(name, []).append(float(value))

    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("response", note)
        page.goto(address)
        page.wait_for_timeout(1000)
        for number in range(strokes):
            if number % 6 == 5:
                page.get_by_role("button", name="Clear").click()
            draw(page, generator, rest)
            page.wait_for_function("() => !document.querySelector('#results').classList.contains('is-searching')")
            page.wait_for_timeout(300)
            for name in NAMES:
                times[name].append(page.evaluate(TIMES, name))
        browser.close()
    columns = f"{'':<22} {'median':>8} {'p95':>8} {'max':>8}"
    named = times | {f"  server: {name}": values for name, values in shares.items()}
    return "\n".join([columns, *(row(name, values) for name, values in named.items())])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="what `sketchy serve` said, such as http://127.0.0.1:8000")
    parser.add_argument("--strokes", type=int, default=60)
    given = parser.parse_args()
    for title, rest in RESTS.items():
        print(f"{given.strokes} strokes, {title}; load {os.getloadavg()[0]:.1f}; milliseconds")
        print(measure(given.address, given.strokes, rest), flush=True)
