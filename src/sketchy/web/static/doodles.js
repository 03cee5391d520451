// Small drawings to begin with.

import { decode } from "./code.js";
import { Layer } from "./drawing.js";

/** Connect the drawings that the page offers; `choose(marks)` is called when one is clicked. */
export class Doodles {
  #doodles = [];

  constructor(buttons, choose) {
    for (const button of buttons) {
      const marks = decode(button.dataset.sketch);
      this.#doodles.push({ layer: new Layer(button.querySelector("canvas")), marks });
      button.addEventListener("click", () => choose(marks));
    }
  }

  /** Paint them in the ink colour of the theme. */
  paint() {
    for (const { layer, marks } of this.#doodles) layer.show(marks, getComputedStyle(layer.canvas).color);
  }
}
