// The photos that were found, or why there are none.

import { announce, find } from "./dom.js";
import { connectTiles } from "./examples.js";
import { ResultsGrid } from "./grid.js";
import { Selection } from "./selection.js";
import { Viewer } from "./viewer.js";

const QUIET = 700; // milliseconds without change before the screen reader and the address are updated

/**
 * Calls `on.like(result)` to search for similar photos, `on.judge(result, way)` to want more or less of them,
 * `on.quiet()` some time after the last change, and `on.paint(canvas)` to paint the query.
 */
export class ResultsView {
  shown = []; // results in the grid

  #section = find("#results");
  #grid;
  #viewer;
  #selection = new Selection();
  #on;
  #quiet = 0; // timer

  constructor(on) {
    this.#on = on;
    const open = (index) => this.#open(index);
    this.#grid = new ResultsGrid(find("#grid"), open, this.#selection);
    connectTiles((index, way) => on.judge(this.shown[index], way));
    this.#viewer = new Viewer(find("#viewer"), this.#selection, {
      like: on.like,
      judge: on.judge,
      paint: on.paint,
      closed: (index) => this.#grid.focus(index),
    });
  }

  /** Show photos, and `line` about them; if there are none, the state `without`. */
  show(results, line, without = "none") {
    this.#become(results.length ? "found" : without, results);
    this.say(results.length ? line : without === "none" ? "No photo matches." : "No photos yet.");
  }

  /** Load the photos of results that are shown soon. */
  prepare(results) {
    this.#grid.prepare(results);
  }

  clear() {
    this.#become("empty");
    this.say("");
  }

  /** Show that there is too little ink on the sheet. */
  showBlank() {
    this.#become("blank");
    this.say("", "There is too little ink to search with.");
  }

  showFailure(reason, isOffline) {
    this.#become("failed");
    find("#reason").textContent = reason;
    find("#failed").classList.toggle("is-offline", isOffline);
    this.say("", reason);
  }

  showSearching(isSearching) {
    this.#section.classList.toggle("is-searching", isSearching);
  }

  showSlow() {
    this.#section.classList.add("is-slow");
    this.say("Still searching. The machine is busy.");
  }

  /** Show a line at once, and announce `spoken` to screen readers unless another line follows soon. */
  say(line, spoken = line) {
    find("#line").textContent = line;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      const nearest = this.shown.slice(0, 3).map((result) => result.category ?? result.name);
      announce(nearest.length ? `${spoken}: ${nearest.join(", ")}` : spoken);
      this.#on.quiet();
    }, QUIET);
  }

  #open(index) {
    if (this.#selection.isActive) this.#selection.toggle(this.shown[index].id);
    else this.#viewer.open(this.shown, index);
  }

  #become(state, results = []) {
    this.shown = results;
    this.#grid.show(results);
    this.#selection.offer(results.map((result) => result.id));
    this.#section.dataset.state = state;
    this.#section.classList.remove("is-searching", "is-slow");
  }
}
