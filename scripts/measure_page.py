#!/usr/bin/env python3
"""Measure, in a browser, how long a stroke takes to become photos. Usage: scripts/measure_page.py ADDRESS [--strokes N]

Start `sketchy serve` first, on a machine with nothing else to do. Strokes are drawn with the mouse at a person's pace;
a time runs from the end of a stroke to the frame that shows its photos, as the page itself notes in the browser's
timeline. Prints the median and the 95th percentile, and the server's own shares from its Server-Timing header.
"""

import argparse
import os
import random
import re
import shutil
import statistics

from playwright.sync_api import Page, Response, sync_playwright

TIMES = "performance.getEntriesByName('stroke to results').map((entry) => [entry.startTime, entry.duration])"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def draw(page: Page, generator: random.Random) -> None:
    """Draw one wandering stroke in about half a second."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    places = [
        (box["x"] + generator.random() * box["width"], box["y"] + generator.random() * box["height"]) for _ in "abc"
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
        page.wait_for_timeout(200)
    page.mouse.up()


def row(name: str, values: list[float]) -> str:
    """Write median, 95th percentile and largest value of milliseconds."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"{name:<18} {statistics.median(ordered):8.1f} {high:8.1f} {ordered[-1]:8.1f}"


def measure(address: str, strokes: int) -> str:
    """Draw, and return a table."""
    generator = random.Random(0)
    times: list[float] = []
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
            draw(page, generator)
            page.wait_for_function("() => !document.querySelector('#results').classList.contains('is-searching')")
            page.wait_for_timeout(300)
            times.append(page.evaluate(TIMES)[-1][1])
        browser.close()
    lines = [
        f"{strokes} strokes; load {os.getloadavg()[0]:.1f}; milliseconds",
        f"{'':<18} {'median':>8} {'p95':>8} {'max':>8}",
    ]
    lines += [row("stroke to results", times), *(row(f"  server: {name}", values) for name, values in shares.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="what `sketchy serve` said, such as http://127.0.0.1:8000")
    parser.add_argument("--strokes", type=int, default=60)
    given = parser.parse_args()
    print(measure(given.address, given.strokes))
