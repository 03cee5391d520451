// Photos that a person selects, over several searches, to save them together.

import { announce, find } from "./dom.js";

const MOST = 100; // photos in a zip

/** Ids of photos; fires `change`. */
export class Selection extends EventTarget {
  isActive = false; // whether a click on a photo selects it

  #ids = new Set();
  #offered = []; // ids of the photos that are shown

  constructor() {
    super();
    find("#select").addEventListener("click", () => this.#activate(!this.isActive));
    find("#select-all").addEventListener("click", () => this.#add(this.#offered));
    find("#unselect").addEventListener("click", () => {
      this.#ids.clear();
      this.#activate(false);
      find("#select").focus();
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && !find("#viewer").open) this.#activate(false);
    });
  }

  has(id) {
    return this.#ids.has(id);
  }

  toggle(id) {
    if (this.#ids.delete(id)) this.#changed();
    else this.#add([id]);
  }

  /** Offer to select photos, if there are any. */
  offer(ids) {
    this.#offered = ids;
    find("#select").hidden = !ids.length && !this.isActive;
    find("#select-all").hidden = !ids.length;
  }

  #add(ids) {
    for (const id of ids) if (this.#ids.size < MOST) this.#ids.add(id);
    this.#changed();
  }

  #activate(isActive) {
    if (isActive === this.isActive && this.#ids.size) return;
    this.isActive = isActive;
    this.#changed();
  }

  #changed() {
    const count = this.#ids.size;
    find("#select").setAttribute("aria-pressed", String(this.isActive));
    find("#selection").hidden = !this.isActive && count === 0;
    find("#selected").textContent = describe(count);
    find("#unselect").hidden = count === 0;
    const link = find("#download");
    link.hidden = count === 0;
    link.href = addressOf([...this.#ids]);
    announce(describe(count));
    this.dispatchEvent(new Event("change"));
  }
}

function describe(count) {
  if (count === 0) return "Click the photos to save.";
  return count === MOST ? `${count} selected, no more at once` : `${count} selected`;
}

/** The address of a file of one photo, or of a zip of several. */
function addressOf(ids) {
  if (ids.length === 1) return `/api/photos/${ids[0]}/file`;
  return `/api/zip?${new URLSearchParams(ids.map((id) => ["id", id]))}`;
}
