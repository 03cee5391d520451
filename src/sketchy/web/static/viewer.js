// A dialog with one photo in full size, the query beside it, what is known about it, and what can be done with it.

import { bytes, day, likelihood } from "./words_for.js";

const SWIPE = 40; // pixels across that turn to the next photo

/**
 * Calls `on.like(result)` to search for similar photos, `on.judge(result, way)` to want more or less of them,
 * `on.paint(canvas)` to paint the query, and `on.closed(index)` when it is closed.
 */
export class Viewer {
  #dialog;
  #selection;
  #on;
  #results = [];
  #index = 0;

  constructor(dialog, selection, on) {
    this.#dialog = dialog;
    this.#selection = selection;
    this.#on = on;
    const press = (name, action) => this.#find(name).addEventListener("click", action);
    press(".close", () => dialog.close());
    press(".previous", () => this.#go(-1));
    press(".next", () => this.#go(1));
    press(".copy", () => this.#copy());
    press(".program", () => this.#launch("program"));
    press(".folder", () => this.#launch("folder"));
    press(".choose", () => selection.toggle(this.#result.id));
    press(".like", () => {
      dialog.close();
      on.like(this.#result);
    });
    for (const button of dialog.querySelectorAll("[data-way]")) {
      button.addEventListener("click", () => {
        dialog.close();
        on.judge(this.#results[this.#index], button.dataset.way);
      });
    }
    selection.addEventListener("change", () => this.#showSelected());
    dialog.addEventListener("close", () => on.closed(this.#index));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#go(-1);
      if (event.key === "ArrowRight") this.#go(1);
    });
    this.#swipe(this.#find("figure"));
    const picture = this.#find("img");
    picture.addEventListener("load", () => dialog.classList.remove("is-loading"));
    picture.addEventListener("error", () => this.#fail());
  }

  open(results, index) {
    this.#results = results;
    this.#dialog.showModal();
    this.#on.paint(this.#find(".query"));
    this.#show(index);
  }

  get #result() {
    return this.#results[this.#index];
  }

  #find(name) {
    return this.#dialog.querySelector(name);
  }

  #text(name, value) {
    this.#find(name).textContent = value;
    this.#find(name).hidden = !value;
  }

  #go(step) {
    const index = this.#index + step;
    if (index >= 0 && index < this.#results.length) this.#show(index);
  }

  #swipe(figure) {
    let start = 0;
    figure.addEventListener("pointerdown", ({ clientX }) => (start = clientX));
    figure.addEventListener("pointerup", ({ clientX }) => {
      if (Math.abs(clientX - start) > SWIPE) this.#go(clientX < start ? 1 : -1);
    });
  }

  async #show(index) {
    this.#index = index;
    const result = this.#result;
    this.#dialog.classList.add("is-loading");
    this.#dialog.classList.remove("is-broken");
    const size = Math.max(innerWidth, innerHeight) * devicePixelRatio > 1400 ? 2560 : 1280;
    this.#find("img").src = `/api/photos/${result.id}?size=${size}`;
    this.#find("img").alt = [result.category, result.name].filter(Boolean).join(", ");
    this.#find(".download").href = `/api/photos/${result.id}/file`;
    this.#find(".previous").disabled = index === 0;
    this.#find(".next").disabled = index === this.#results.length - 1;
    this.#text("h2", result.name);
    const words = likelihood(result.score);
    this.#text(".likely", words && `What you drew: ${words}`);
    this.#text(".details", details(result));
    this.#find(".copy").textContent = "Copy path";
    this.#showSelected();
    this.#showAbout(result, { path: "", bytes: null, copies: [], can_open: false });
    const about = await aboutOf(result);
    if (this.#index === index) this.#showAbout(result, about);
  }

  #showAbout(result, about) {
    const size = about.bytes === null ? "" : bytes(about.bytes);
    const sides = about.width ? `${about.width} × ${about.height}` : "";
    this.#text(".facts", [result.category, day(result.taken), sides, size].filter(Boolean).join(" · "));
    this.#text(".path", about.path);
    this.#text(".problem", "");
    for (const name of [".program", ".folder"]) this.#find(name).hidden = !about.can_open;
    const count = about.copies.length;
    this.#find(".copies").hidden = count === 0;
    this.#find(".copies h3").textContent = count === 1 ? "A copy of it" : `${count} copies of it`;
    this.#find(".copies ul").replaceChildren(...about.copies.map(item));
  }

  #showSelected() {
    if (!this.#result) return;
    const isSelected = Boolean(this.#selection.has(this.#result.id));
    this.#find(".choose").setAttribute("aria-pressed", String(isSelected));
    this.#find(".choose").textContent = isSelected ? "Selected" : "Select";
  }

  /** Open the photo on the machine of the server, which is this one. */
  async #launch(where) {
    let reason = "";
    try {
      const response = await fetch(`/api/photos/${this.#result.id}/open?where=${where}`, { method: "POST" });
      if (!response.ok) reason = (await response.json()).error;
    } catch {
      reason = "the server does not answer";
    }
    this.#text(".problem", reason && `That did not work: ${reason}`);
  }

  async #copy() {
    const path = this.#find(".path");
    try {
      await navigator.clipboard.writeText(path.textContent);
    } catch {
      getSelection().selectAllChildren(path); // over the network without HTTPS, only the selection can be copied
      if (!document.execCommand("copy")) return;
    }
    this.#find(".copy").textContent = "Copied";
  }

  #fail() {
    this.#dialog.classList.remove("is-loading");
    this.#dialog.classList.add("is-broken");
  }
}

/** The numbers, for who asks. */
function details(result) {
  const score = result.score === null ? "" : ` · probability ${Math.round(100 * result.score)} %`;
  return `No. ${result.rank} · distance ${result.distance.toFixed(4)}${score}`;
}

function item(text) {
  const made = document.createElement("li");
  made.textContent = text;
  return made;
}

async function aboutOf(result) {
  const without = { bytes: null, copies: [], can_open: false };
  try {
    const response = await fetch(`/api/photos/${result.id}/about`);
    return response.ok ? await response.json() : { ...without, path: "the path is not known any more" };
  } catch {
    return { ...without, path: "the server does not answer" };
  }
}
