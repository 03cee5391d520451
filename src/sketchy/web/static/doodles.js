// Small drawings to begin with: those of the page, and the last ones of the person.

import { decode } from "./code.js";
import { Layer } from "./drawing.js";

const BOLD = 2.5; // times the width of the pen, as a thin line would vanish

/** Buttons that show drawings; `choose(marks)` is called when one is clicked. */
export class Doodles {
  #doodles = [];
  #choose;

  constructor(buttons, choose) {
    this.#choose = choose;
    this.show(buttons, [...buttons].map((button) => button.dataset.sketch));
  }

  /** Show the drawings of the given codes on buttons. */
  show(buttons, codes) {
    this.#doodles = [...buttons].map((button, index) => {
      const marks = decode(codes[index]);
      button.onclick = () => this.#choose(marks);
      return { layer: new Layer(button.querySelector("canvas")), marks: marks.map(bolder) };
    });
    this.paint();
  }

  /** Paint them in the ink colour of the theme. */
  paint() {
    for (const { layer, marks } of this.#doodles) layer.show(marks, getComputedStyle(layer.canvas).color);
  }
}

function bolder(mark) {
  return mark.points ? { ...mark, points: mark.points.map(([x, y, width]) => [x, y, width * BOLD]) } : mark;
}
