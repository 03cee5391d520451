// The drawing sheet: turns input from mouse, pen, touch and keyboard into strokes, and shows them.

import { Layer, paint, SIDE } from "./drawing.js";

const SPACING = 6; // smallest distance between two points of a stroke, in units
const SMOOTHING = 0.6; // fraction of the distance to the pointer that the tip moves at each event
const STEP = 16; // distance that an arrow key moves the pen, in units
const MOST_PIXELS = 1600; // largest side of the canvas
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Fires `stroke` while one is drawn, and passes messages for screen readers to `announce`. */
export class Pad extends EventTarget {
  tool = "pen";
  width = 10; // units

  #canvas;
  #cursor;
  #drawing;
  #announce;
  #done = new Layer(document.createElement("canvas"));
  #active = null; // the stroke that is being drawn
  #ended = null; // the same as if it had ended now; null if it must be made anew
  #byKey = false; // whether it is drawn by keyboard
  #pointer = null; // its last position, in whole units
  #tip = null; // its smoothed position
  #pen = [SIDE / 2, SIDE / 2]; // position of the pen that the keyboard moves
  #held = new Set();
  #frame = 0;

  constructor(canvas, cursor, drawing, announce) {
    super();
    this.#canvas = canvas;
    this.#cursor = cursor;
    this.#drawing = drawing;
    this.#announce = announce;
    drawing.addEventListener("change", () => this.refresh());
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#up(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("keyup", (event) => this.#held.delete(event.key));
    canvas.addEventListener("blur", () => this.#leave());
    this.#moveCursor();
  }

  /** All marks, including the stroke that is being drawn, as it will be if it ends now; none of them ever changes. */
  get marks() {
    return this.#active ? [...this.#drawing.marks, this.#end()] : this.#drawing.marks;
  }

  get isDrawing() {
    return this.#active !== null;
  }

  /** Paint again, at the next frame. */
  refresh() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  /** End the stroke that is being drawn, if any. */
  finish() {
    if (!this.#active) return;
    const stroke = this.#end();
    this.#active = this.#pointer = null;
    this.#byKey = false;
    this.#cursor.classList.remove("is-down");
    this.#drawing.add(stroke);
  }

  /** The stroke up to the pointer, behind which its tip lags. */
  #end() {
    if (this.#ended) return this.#ended;
    const points = [...this.#active.points];
    const [x, y, width] = points.at(-1);
    const [left, top] = this.#pointer ?? [x, y];
    if (distance([x, y], [left, top]) > 1) points.push([left, top, width]); // not the pressure of a pen that is lifted
    // Rounded like the strokes in the address of the page, so that opening the address finds the same photos.
    return (this.#ended = { ...this.#active, points: points.map((point) => point.map(Math.round)) });
  }

  #resize() {
    const side = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    this.#canvas.width = this.#canvas.height = Math.max(1, Math.min(MOST_PIXELS, side));
    this.#done.resize(this.#canvas.width);
    this.#paint();
  }

  #paint() {
    const ink = getComputedStyle(this.#canvas).color;
    const context = this.#canvas.getContext("2d");
    this.#done.show(this.#drawing.marks, ink);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.drawImage(this.#done.canvas, 0, 0);
    if (this.#active) paint(context, this.#active, ink);
  }

  #begin(point, erase) {
    this.finish();
    this.#active = { points: [point], erase };
    this.#changed();
  }

  #changed() {
    this.#ended = null;
    this.refresh();
    this.dispatchEvent(new Event("stroke"));
  }

  #down(event) {
    if (event.button !== 0 && event.button !== 5) return; // 5 is the other end of a pen
    if (!event.isPrimary || (this.#active && !this.#byKey)) return;
    this.#canvas.setPointerCapture(event.pointerId);
    const point = this.#pointOf(event);
    this.#begin(point, this.tool === "eraser" || event.button === 5);
    this.#tip = point;
    this.#pointer = point.map(Math.round);
  }

  #move(event) {
    if (!this.#active || this.#byKey || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    const before = this.#active.points.length;
    for (const each of events.length ? events : [event]) this.#follow(this.#pointOf(each));
    if (this.#active.points.length > before) this.#changed(); // a hand never rests quite still
  }

  #up(event) {
    if (!this.#active || this.#byKey || !event.isPrimary) return;
    if (event.type === "pointerup") this.#point(this.#pointOf(event));
    this.finish();
  }

  /** Move the tip part of the way to the pointer, which smooths the stroke. */
  #follow(to) {
    this.#point(to);
    const tip = this.#tip;
    this.#tip = tip.map((value, index) => value + SMOOTHING * (to[index] - value));
    if (distance(this.#active.points.at(-1), this.#tip) >= SPACING) this.#active.points.push(this.#tip);
  }

  #point(to) {
    const pointer = to.map(Math.round);
    if (distance(pointer, this.#pointer) > 0) this.#ended = null;
    this.#pointer = pointer;
  }

  #pointOf(event) {
    const box = this.#canvas.getBoundingClientRect();
    const pressure = event.pointerType === "pen" ? 0.4 + 1.2 * event.pressure : 1;
    return [
      ((event.clientX - box.left) / box.width) * SIDE,
      ((event.clientY - box.top) / box.height) * SIDE,
      (this.tool === "eraser" ? 4 : 1) * this.width * pressure,
    ];
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey) return;
    if (event.key in ARROWS) {
      this.#held.add(event.key);
      const reach = STEP * (event.shiftKey ? 4 : event.altKey ? 0.25 : 1);
      for (const key of this.#held) {
        this.#pen = this.#pen.map((value, axis) => Math.min(SIDE, Math.max(0, value + reach * ARROWS[key][axis])));
      }
      this.#moveCursor();
      if (this.#byKey) {
        this.#active.points.push(this.#keyPoint());
        this.#changed();
      }
    } else if (event.key === " ") {
      if (this.#byKey) {
        this.finish();
        this.#announce(`Pen up ${this.#position()}.`);
      } else {
        this.#begin(this.#keyPoint(), this.tool === "eraser");
        this.#byKey = true;
        this.#cursor.classList.add("is-down");
        this.#announce(`Pen down ${this.#position()}.`);
      }
    } else if (event.key === "Escape" && this.#byKey) {
      this.finish();
      this.#announce("Pen up.");
    } else return;
    event.preventDefault();
  }

  #leave() {
    this.#held.clear();
    if (this.#byKey) this.finish();
  }

  #keyPoint() {
    return [...this.#pen, (this.tool === "eraser" ? 4 : 1) * this.width];
  }

  #moveCursor() {
    this.#cursor.style.left = `${(100 * this.#pen[0]) / SIDE}%`;
    this.#cursor.style.top = `${(100 * this.#pen[1]) / SIDE}%`;
  }

  #position() {
    const [across, down] = this.#pen.map((value) => Math.round((100 * value) / SIDE));
    return `at ${across} across, ${down} down, of 100`;
  }
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
