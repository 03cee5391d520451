// The results: a grid of photos in rows of equal width, nearest first; photos move when the results change.

import { day, likelihood } from "./words_for.js";

const GAP = 14;
const CAPTION = 46; // height in pixels below a photo
const SIZES = [160, 320, 640];
const [NARROWEST, WIDEST] = [0.6, 2.2]; // aspect ratios; photos beyond are cropped

/** Calls `open` with the index of a result when its photo is clicked, and marks those of the selection. */
export class ResultsGrid {
  #list;
  #open;
  #selection;
  #tiles = new Map(); // id to {item, ratio, ...}
  #order = [];
  #ratios = new Map(); // id to width / height, once known
  #prepared = []; // images that are kept loaded, until the next ones are
  #width = 0; // of the list, which would be laid out to be asked
  #frame = 0;

  constructor(list, open, selection) {
    this.#list = list;
    this.#open = open;
    this.#selection = selection;
    selection.addEventListener("change", () => this.#showSelected());
    new ResizeObserver(([entry]) => {
      if (entry.contentRect.width === this.#width) return;
      this.#width = entry.contentRect.width;
      this.#layout();
    }).observe(list);
  }

  /** Replace the results; photos that were already shown move, and the focus stays with its photo, else goes to the first. */
  show(results) {
    const focused = this.#order.find((tile) => tile.button === document.activeElement);
    const wanted = new Set(results.map((result) => result.id));
    for (const [id, tile] of this.#tiles) {
      if (wanted.has(id)) continue;
      tile.item.remove();
      this.#tiles.delete(id);
    }
    this.#order = results.map((result, index) => {
      const tile = this.#tiles.get(result.id) ?? this.#add(result);
      fill(tile, result);
      tile.button.onclick = () => this.#open(index);
      return tile;
    });
    this.#sort();
    this.#layout();
    this.#showSelected();
    if (focused) (this.#tiles.get(focused.id) ?? this.#order[0])?.button.focus({ preventScroll: true });
  }

  /** Load the photos of results that are not shown yet. */
  prepare(results) {
    const ratios = results.map(({ id }) => this.#ratioOf(id));
    const images = rows(ratios, this.#width).flatMap(({ indices, height }) =>
      indices.map((index) => {
        const image = new Image();
        image.src = photo(results[index].id, sizeOf(height * ratios[index], height));
        image.addEventListener("load", () => this.#learn(results[index].id, image));
        return image;
      }),
    );
    this.#prepared = images;
  }

  focus(index) {
    this.#order[index]?.button.focus();
  }

  #showSelected() {
    for (const { id, item, button } of this.#order) {
      const isSelected = this.#selection.has(id);
      item.classList.toggle("is-selected", isSelected);
      item.classList.toggle("is-selectable", this.#selection.isActive);
      if (this.#selection.isActive) button.setAttribute("aria-pressed", String(isSelected));
      else button.removeAttribute("aria-pressed");
    }
  }

  #add(result) {
    const item = document.getElementById("tile").content.firstElementChild.cloneNode(true);
    const tile = { id: result.id, item, button: item.querySelector("button"), image: item.querySelector("img") };
    tile.image.addEventListener("load", () => {
      item.classList.add("is-loaded");
      if (this.#learn(result.id, tile.image)) this.#layoutSoon();
    });
    tile.image.addEventListener("error", () => item.classList.add("is-broken"));
    this.#tiles.set(result.id, tile);
    return tile;
  }

  /** Sort the list items by rank; only items at a wrong position are moved, so that the focus is kept. */
  #sort() {
    this.#order.forEach((tile, index) => {
      const current = this.#list.children[index];
      if (current !== tile.item) this.#list.insertBefore(tile.item, current ?? null);
    });
  }

  /** Learn the ratio of a photo that was loaded; return whether it needs another place than before. */
  #learn(id, image) {
    const before = this.#ratioOf(id);
    this.#ratios.set(id, image.naturalWidth / image.naturalHeight);
    return this.#ratioOf(id) !== before;
  }

  #layoutSoon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#layout();
    });
  }

  #layout() {
    if (!this.#width) return;
    let top = 0;
    for (const row of rows(this.#order.map(({ id }) => this.#ratioOf(id)), this.#width)) {
      let left = 0;
      for (const index of row.indices) {
        const tile = this.#order[index];
        const across = row.height * this.#ratioOf(tile.id);
        put(tile, left, top, across, row.height);
        left += across + GAP;
      }
      top += row.height + CAPTION + GAP;
    }
    this.#list.style.height = `${Math.max(0, top - GAP)}px`;
  }

  #ratioOf(id) {
    return Math.min(WIDEST, Math.max(NARROWEST, this.#ratios.get(id) ?? 1));
  }
}

/** Break photos into rows as wide as the list; the first row, with the nearest photos, is higher. */
export function rows(ratios, width) {
  const usual = Math.min(300, Math.max(120, 70 + width / 9));
  const made = [];
  let indices = [];
  let sum = 0;
  ratios.forEach((ratio, index) => {
    const target = made.length ? usual : usual * 1.3;
    indices.push(index);
    sum += ratio;
    const height = (width - GAP * (indices.length - 1)) / sum;
    if (height <= target) {
      made.push({ indices, height });
      [indices, sum] = [[], 0];
    }
  });
  if (indices.length) made.push({ indices, height: made.at(-1)?.height ?? Math.min(usual * 1.3, width / sum) });
  const last = made.at(-1);
  if (last && made.length > 1) last.height = Math.min(last.height, usual);
  return made;
}

function put(tile, left, top, width, height) {
  tile.item.style.transform = `translate(${left}px, ${top}px)`;
  tile.item.style.width = `${width}px`;
  tile.item.style.setProperty("--photo", `${height}px`);
  const size = sizeOf(width, height);
  if (size > (tile.size ?? 0)) {
    tile.size = size;
    tile.image.src = photo(tile.id, size);
    if (tile.image.complete && tile.image.naturalWidth) tile.item.classList.add("is-loaded"); // it was prepared
  }
  // Without this, a new tile would move in from the corner.
  if (!tile.placed) requestAnimationFrame(() => tile.item.classList.add("is-placed"));
  tile.placed = true;
}

/** The size to ask for, of those that the server has. */
function sizeOf(width, height) {
  const wanted = Math.max(width, height) * devicePixelRatio;
  return SIZES.find((each) => each >= wanted) ?? SIZES.at(-1);
}

function photo(id, size) {
  return `/api/photos/${id}?size=${size}`;
}

function fill(tile, result) {
  const text = (name, value) => {
    const element = tile.item.querySelector(name);
    if (element.textContent !== String(value)) element.textContent = value; // what does not change is not laid out
  };
  tile.item.dataset.distance = result.distance.toFixed(3); // for scripts and tests: captions hold no numbers
  text(".rank", result.rank);
  text(".name", result.name);
  text(".when", result.category ?? (day(result.taken) || result.folder));
  text(".likely", likelihood(result.score));
  tile.button.title = [result.name, result.folder, likelihood(result.score)].filter(Boolean).join("\n");
}
