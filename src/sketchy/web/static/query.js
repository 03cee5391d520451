// The query: the drawing or a photo, with the values of the controls. The address of the page holds it too.

import { decode, encode } from "./code.js";
import { complain, find } from "./dom.js";
import { Exporter, Layer } from "./drawing.js";
import { offerMore } from "./filters.js";
import { noteLatency } from "./latency.js";
import { SearchClient } from "./search_client.js";
import { Settling } from "./settling.js";

const ADVICE = {
  "nothing fits well": "Nothing fits well. Nearest photos:",
  "keep drawing": "Keep drawing. Nearest so far:",
}; // short, for phones

const MOST_SENT = 12_000_000; // bytes of a file that is sent as it is

/**
 * Searches, and passes what was found to the view.
 *
 * `controls` are groups of controls with `values()`, strings or lists of them by the names of parameters of the address
 * (empty ones are left out), and `restore(parts)`, which sets them from the address. The parameters of a search are the
 * same, unless the group has `parameters()`. `kind` is a `KindNote`.
 */
export class Query {
  like = null; // id of the photo that is the query; null if the query is the drawing
  waiting = false; // whether the gallery has no photo yet

  #pad;
  #drawing;
  #view;
  #controls;
  #kind;
  #exporter = new Exporter(320); // pixels: twice the input of the bundled model, which finds the same photos with more
  #pictures = new Exporter(512);
  #client;
  #settling;

  constructor(pad, drawing, view, controls, kind) {
    this.#pad = pad;
    this.#drawing = drawing;
    this.#view = view;
    this.#controls = controls;
    this.#kind = kind;
    this.#settling = new Settling(pad);
    this.#client = new SearchClient({
      started: () => view.showSearching(true),
      slow: () => view.showSlow(),
      succeeded: (response, query) => this.#settle(response, query),
      failed: (problem) => this.#failed(problem),
    });
    find("#back").addEventListener("click", () => this.#backToDrawing());
    addEventListener("popstate", () => this.restore());
  }

  /** Search at once. */
  search() {
    this.#ask("send");
  }

  /** Search soon, and not more often than there are answers. */
  schedule() {
    this.#ask("schedule");
  }

  /** Search for the drawing, which has changed. */
  drawingChanged() {
    this.#setLike(null);
    this.#ask("sendUnlessSent"); // as happens while the hand rests before it lifts the pen
  }

  /** Search for photos like one. */
  searchLike(id) {
    this.store();
    history.pushState(null, "", `#like=${id}`);
    this.restore();
    scrollTo({ top: 0 });
  }

  /** Paint the query on a square canvas. */
  paint(canvas) {
    const layer = new Layer(canvas);
    const image = find("#query-photo img");
    if (this.like === null) layer.show(this.#drawing.marks, getComputedStyle(canvas).color);
    else layer.show(image.naturalWidth ? [{ image }] : [], "");
  }

  /** Write the query into the address. */
  store() {
    const parts = new URLSearchParams();
    const code = encode(this.#drawing.marks);
    if (this.like !== null) parts.set("like", this.like);
    else if (code !== null && !this.#drawing.isEmpty) parts.set("d", code);
    for (const [name, value] of pairs(this.#controls.map((group) => group.values()))) {
      if (name !== "k" || value !== find("#k").defaultValue) parts.append(name, value);
    }
    history.replaceState(null, "", `#${parts}`);
  }

  /** Read the query from the address, and search; `keep` the drawing if it is newer than the address. */
  restore({ keep = false } = {}) {
    const parts = new URLSearchParams(location.hash.slice(1));
    const code = parts.get("d");
    for (const group of this.#controls) group.restore(parts);
    this.#setLike(parts.get("like"));
    const marks = code === null || keep ? null : decode(code);
    if (marks && code !== encode(this.#drawing.marks)) this.#drawing.replace(marks);
    else this.search();
  }

  #ask(how, since = performance.now()) {
    if (how !== "schedule") this.#settling.cancel();
    const marks = this.#pad.marks;
    const parameters = pairs(this.#controls.map((group) => group.parameters?.() ?? group.values()));
    if (this.like !== null) parameters.push(["like", this.like]);
    const isDrawn = this.like === null && marks.some((mark) => !mark.erase);
    if (!isDrawn && !parameters.some(([name]) => name === "like" || name === "text")) {
      this.#client.cancel();
      this.#view.clear();
      this.#kind.show(null);
      return;
    }
    const image = isDrawn ? () => this.#image(marks) : undefined;
    const sent = isDrawn ? marks : [];
    this.#client[how]({ parameters, since, kind: this.#kind.of(sent), marks: sent, image });
  }

  /** The file of the picture if nothing is drawn on it, as the paper around would not be its own; else the sheet. */
  #image(marks) {
    const { image, file } = marks.length === 1 ? marks[0] : {};
    if (file?.size < MOST_SENT) return file; // recognised where it is one of the photos
    if (image) return new Promise((resolve) => image.toBlob(resolve));
    return marks.some((mark) => mark.image) ? this.#pictures.png(marks) : this.#exporter.sketch(marks);
  }

  /** Show photos at once if there are none, or no stroke is being drawn. */
  #settle(response, query) {
    const show = () => this.#succeeded(response, query);
    if (!this.#view.shown.length || !this.#pad.isDrawing) return show();
    this.#view.prepare(response.results);
    this.#settling.wait(show);
  }

  #succeeded({ results, advice, kind }, query) {
    complain("");
    this.#kind.show(this.#pad.marks.some((mark) => mark.image) ? kind : null);
    this.#view.show(results, ADVICE[advice] ?? this.#describe(results.length), this.waiting ? "waiting" : "none");
    offerMore(results.length);
    noteLatency(query.since);
  }

  #describe(count) {
    if (this.like !== null) return `the ${count} most like this one`;
    return count === 1 ? "the nearest one" : `the ${count} nearest`;
  }

  #failed({ status, reason }) {
    const isBlank = reason.includes("the sketch is blank");
    if (status !== 404 && status !== 422) this.#view.showFailure(reason, status === 0);
    else if (isBlank && !this.#pad.isDrawing) this.#view.showBlank();
    else {
      this.#view.showSearching(false);
      if (!isBlank) complain(reason); // such as an unknown word: the photos that were found stay
    }
  }

  #setLike(id) {
    this.like = /^[0-9a-f]{24}$/.test(id ?? "") ? id : null;
    find("#sheet").classList.toggle("is-photo", this.like !== null);
    find("#canvas").inert = this.like !== null;
    find("#query-photo").hidden = this.like === null;
    if (this.like === null) return;
    find("#query-photo img").src = `/api/photos/${this.like}?size=640`;
    const known = this.#view.shown.find((result) => result.id === this.like);
    find("#query-photo figcaption").textContent = known ? `Photos like ${known.name}` : "Photos like this one";
  }

  #backToDrawing() {
    this.#setLike(null);
    find("#canvas").focus();
    this.search();
  }
}

/** The names and values of groups, without empty ones; each value of a list is a pair of its own. */
function pairs(groups) {
  const listed = groups.flatMap((group) => Object.entries(group));
  return listed.flatMap(([name, values]) => [values].flat().filter(Boolean).map((value) => [name, value]));
}
