// Photos that a person wants more of, less of, or not at all. They are no results any more, but shown above them.

import { announce, find } from "./dom.js";

const WAYS = {
  more: { parameter: "like", sign: "+", text: "More like this" },
  less: { parameter: "unlike", sign: "−", text: "Less like this" },
  not: { parameter: "without", sign: "×", text: "Not this" },
};
const MOST = 50; // of each, as the server takes

/** A group of controls; see `Query`. Calls `changed()` when a person adds or removes a photo. */
export class Examples {
  #chosen = new Map(); // id to the name of the way
  #changed;

  constructor(changed) {
    this.#changed = changed;
    find("#examples button.forget").addEventListener("click", () => this.#change(() => this.#chosen.clear()));
  }

  add(id, way) {
    if (this.#of(way).length === MOST) this.#chosen.delete(this.#of(way)[0]);
    this.#change(() => this.#chosen.set(id, way));
    announce(WAYS[way].text);
  }

  values() {
    return Object.fromEntries(Object.keys(WAYS).map((way) => [way, this.#of(way)]));
  }

  parameters() {
    return Object.fromEntries(Object.entries(WAYS).map(([way, { parameter }]) => [parameter, this.#of(way)]));
  }

  restore(parts) {
    this.#chosen.clear();
    for (const way of Object.keys(WAYS)) {
      for (const id of parts.getAll(way)) if (/^[0-9a-f]{24}$/.test(id)) this.#chosen.set(id, way);
    }
    this.#show();
  }

  #of(way) {
    return [...this.#chosen.keys()].filter((id) => this.#chosen.get(id) === way);
  }

  /** Change what is chosen; if the focus was here, it goes to the button that takes the place of its own, or to the sheet. */
  #change(action) {
    const buttons = () => [...find("#examples").querySelectorAll("button")];
    const focused = buttons().indexOf(document.activeElement);
    action();
    this.#show();
    this.#changed();
    if (focused >= 0) (this.#chosen.size ? buttons()[focused] : find("#canvas")).focus({ preventScroll: true });
  }

  #show() {
    find("#examples").hidden = this.#chosen.size === 0;
    find("#examples ul").replaceChildren(...[...this.#chosen].map(([id, way]) => this.#chip(id, way)));
  }

  #chip(id, way) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const image = new Image();
    Object.assign(button, { type: "button", className: way, title: `${WAYS[way].text}; click to take it back` });
    button.setAttribute("aria-label", `${WAYS[way].text}: take it back`);
    button.dataset.sign = WAYS[way].sign;
    Object.assign(image, { src: `/api/photos/${id}?size=160`, alt: "" });
    button.append(image);
    button.addEventListener("click", () => this.#change(() => this.#chosen.delete(id)));
    item.append(button);
    return item;
  }
}

/** Call `judge(index, way)` when a person judges the photo of a tile. */
export function connectTiles(judge) {
  find("#grid").addEventListener("click", (event) => {
    const sign = event.target.closest("[data-way]");
    if (sign) judge([...find("#grid").children].indexOf(sign.closest("li")), sign.dataset.way);
  });
}
