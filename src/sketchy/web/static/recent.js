// The last drawings, which the browser keeps, and the drawing on the sheet, which survives that the page is reloaded.

import { decode, encode } from "./code.js";
import { find } from "./dom.js";
import { Doodles } from "./doodles.js";
import { read, write } from "./stored.js";

const MOST = 8; // drawings
const LONGEST = 50_000; // characters of the code of one

/** Shows the last drawings; `choose(marks)` is called when one is clicked. `known` are codes that are never kept. */
export class RecentDrawings {
  #codes = read("localStorage", "drawings", []).filter((code) => decode(code));
  #doodles;
  #known;

  constructor(choose, known) {
    this.#known = known;
    this.#doodles = new Doodles([], choose);
    find("#forget").addEventListener("click", () => {
      this.#set([]);
      find("#canvas").focus({ preventScroll: true });
    });
    this.#show();
  }

  /** Keep a drawing; if it continues one that is kept, in its place. */
  keep(drawing) {
    const code = encode(drawing.marks);
    if (code === null || drawing.isEmpty || code.length > LONGEST || this.#known.has(code)) return;
    // The end of a code may depend on what follows it.
    const others = this.#codes.filter((each) => !code.startsWith(each.slice(0, -2)));
    this.#set([code, ...others].slice(0, MOST));
  }

  paint() {
    this.#doodles.paint();
  }

  #set(codes) {
    this.#codes = codes;
    write("localStorage", "drawings", codes);
    this.#show();
  }

  #show() {
    const template = find("#recent-drawing").content.firstElementChild;
    const buttons = this.#codes.map((_, index) => {
      const button = template.cloneNode(true);
      button.setAttribute("aria-label", `Drawing ${index + 1} of ${this.#codes.length}`);
      return button;
    });
    find("#recent .doodles").replaceChildren(...buttons);
    find("#recent").hidden = buttons.length === 0;
    this.#doodles.show(buttons, this.#codes);
  }
}

/** Keep the drawing for when the page is loaded again, with what undo brings back. */
export function keepSheet(drawing) {
  const steps = drawing.steps.map(({ mark, marks }) => (mark ? { mark: pack(mark) } : { marks: marks.map(pack) }));
  write("sessionStorage", "sheet", { address: location.hash, steps });
}

/** Bring the drawing back, unless there is one already; return whether it is newer than the address. */
export async function restoreSheet(drawing) {
  if (drawing.canUndo) return true;
  const { address, steps } = read("sessionStorage", "sheet", { address: null, steps: [] });
  const unpacked = steps.map(async ({ mark, marks }) =>
    mark ? { mark: await unpack(mark) } : { marks: await Promise.all(marks.map(unpack)) },
  );
  try {
    drawing.restore(await Promise.all(unpacked));
  } catch {
    return false; // of another version of the page
  }
  return address === location.hash;
}

function pack(mark) {
  return mark.image ? mark.image.toDataURL("image/webp", 0.9) : encode([mark]);
}

async function unpack(text) {
  if (!text.startsWith("data:")) return decode(text)[0];
  const picture = new Image();
  picture.src = text;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return { image: canvas };
}
