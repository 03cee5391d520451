// What a picture on the sheet is taken for, a photo or a drawing, and a button to take it for the other.

import { find } from "./dom.js";

const OTHER = { photo: "sketch", sketch: "photo" };
const NAMES = { photo: "photo", sketch: "drawing" };

export class KindNote {
  #chosen = "auto";
  #shown = null;
  #picture = null;

  /** Calls `changed()` when a person chooses. */
  constructor(changed) {
    find("#taken-for button").addEventListener("click", () => {
      this.#chosen = OTHER[this.#shown];
      this.show(this.#chosen);
      changed();
    });
  }

  /** Return the kind to search with, of marks that may have a picture. */
  of(marks) {
    const picture = marks.find((mark) => mark.image)?.image ?? null;
    if (picture !== this.#picture) [this.#picture, this.#chosen] = [picture, "auto"];
    return picture ? this.#chosen : "sketch";
  }

  /** Show what the query was taken for; null if it has no picture. */
  show(kind) {
    this.#shown = kind;
    find("#taken-for").hidden = kind === null;
    if (kind === null) return;
    find("#taken-for span").textContent = `Taken for a ${NAMES[kind]}.`;
    find("#taken-for button").textContent = `It is a ${NAMES[OTHER[kind]]}`;
  }
}
