// The drawing: marks with undo and redo, and how they are painted.

import { greyPng } from "./png.js";

export const SIDE = 1024; // side of the sheet in units, independent of its size on the screen

/**
 * A list of marks. Fires `change` after every change, and `replace` before all marks are replaced.
 *
 * A mark is a stroke {points: [[x, y, width], ...], erase}, in units, or a picture {image}.
 */
export class Drawing extends EventTarget {
  #done = []; // steps: {mark} adds one, {marks} replaces all
  #undone = [];

  /** The current marks, oldest first. */
  get marks() {
    const start = this.#done.findLastIndex((step) => step.marks);
    const base = start < 0 ? [] : this.#done[start].marks;
    return [...base, ...this.#done.slice(start + 1).map((step) => step.mark)];
  }

  get isEmpty() {
    return !this.marks.some((mark) => !mark.erase);
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  add(mark) {
    this.#step({ mark });
  }

  /** Replace all marks; can be undone like a stroke. */
  replace(marks) {
    this.dispatchEvent(new Event("replace"));
    this.#step({ marks });
  }

  /** The steps that made the drawing, which `restore` takes. */
  get steps() {
    return this.#done;
  }

  /** Begin with the steps of an earlier drawing. */
  restore(steps) {
    this.#done = steps;
    this.#undone = [];
    this.dispatchEvent(new Event("change"));
  }

  undo() {
    this.#move(this.#done, this.#undone);
  }

  redo() {
    this.#move(this.#undone, this.#done);
  }

  #step(step) {
    this.#done.push(step);
    this.#undone = [];
    this.dispatchEvent(new Event("change"));
  }

  #move(from, to) {
    if (from.length === 0) return;
    to.push(from.pop());
    this.dispatchEvent(new Event("change"));
  }
}

/** A canvas that shows marks, and paints only new ones. */
export class Layer {
  #context;
  #shown = [];
  #ink;

  /** `settings` are those of the canvas's context. */
  constructor(canvas, settings) {
    this.canvas = canvas;
    this.#context = canvas.getContext("2d", settings);
  }

  /** Grey pixels of black ink on white. */
  get pixels() {
    const { width, height } = this.canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    const pixels = new Uint8Array(width * height);
    for (let index = 0; index < pixels.length; index++) pixels[index] = 255 - data[4 * index + 3];
    return pixels;
  }

  resize(side) {
    this.canvas.width = this.canvas.height = side;
    this.#shown = [];
  }

  show(marks, ink) {
    const known = ink === this.#ink && this.#shown.every((mark, index) => mark === marks[index]);
    if (!known) {
      this.#context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      this.#shown = [];
    }
    for (const mark of marks.slice(this.#shown.length)) paint(this.#context, mark, ink);
    this.#shown = marks;
    this.#ink = ink;
  }
}

/** Paint one mark onto a square canvas. */
export function paint(context, mark, ink) {
  context.save();
  context.scale(context.canvas.width / SIDE, context.canvas.height / SIDE);
  if (mark.image) paintPicture(context, mark.image);
  else paintStroke(context, mark, ink);
  context.restore();
}

function paintPicture(context, image) {
  const [across, down] = [image.naturalWidth ?? image.width, image.naturalHeight ?? image.height];
  const scale = SIDE / Math.max(across, down);
  const [width, height] = [across * scale, down * scale];
  context.imageSmoothingQuality = "high";
  context.drawImage(image, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
}

function paintStroke(context, { points, erase }, ink) {
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = context.fillStyle = ink;
  context.lineCap = context.lineJoin = "round";
  const [x, y, width] = points[0];
  if (points.length === 1) {
    context.beginPath();
    context.arc(x, y, width / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  // Quadratic curves between the midpoints of neighbouring points make the stroke smooth.
  let from = points[0];
  for (let index = 1; index < points.length; index++) {
    const last = index === points.length - 1;
    const to = last ? points[index] : midpoint(points[index], points[index + 1]);
    context.beginPath();
    context.moveTo(from[0], from[1]);
    context.quadraticCurveTo(points[index][0], points[index][1], to[0], to[1]);
    context.lineWidth = points[index][2];
    context.stroke();
    from = to;
  }
}

function midpoint(a, b) {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

/** Renders marks as black ink on white, like the sketches that the model was trained on. */
export class Exporter {
  #layer = new Layer(document.createElement("canvas"), { willReadFrequently: true });
  #canvas = document.createElement("canvas");

  constructor(side) {
    this.#layer.resize(side);
    this.#canvas.width = this.#canvas.height = side;
  }

  /** Render strokes at once, for a search. */
  sketch(marks) {
    this.#layer.show(marks, "#000");
    return greyPng(this.#canvas.width, this.#layer.pixels);
  }

  /** Render any marks in colour, as a promise of a small file. */
  png(marks) {
    this.#layer.show(marks, "#000");
    const context = this.#canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.drawImage(this.#layer.canvas, 0, 0);
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }
}
