// A dialog with one photo in full size and its path.

import { percent } from "./grid.js";

/** Calls `on.like(result)` to search for similar photos, `on.judge(result, way)` to want more or less of them, and `on.closed(index)` when it is closed. */
export class Viewer {
  #dialog;
  #results = [];
  #index = 0;

  constructor(dialog, on) {
    this.#dialog = dialog;
    const press = (name, action) => this.#find(name).addEventListener("click", action);
    press(".close", () => dialog.close());
    press(".previous", () => this.#go(-1));
    press(".next", () => this.#go(1));
    press(".copy", () => this.#copy());
    press(".like", () => {
      dialog.close();
      on.like(this.#results[this.#index]);
    });
    for (const button of dialog.querySelectorAll("[data-way]")) {
      button.addEventListener("click", () => {
        dialog.close();
        on.judge(this.#results[this.#index], button.dataset.way);
      });
    }
    dialog.addEventListener("close", () => on.closed(this.#index));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#go(-1);
      if (event.key === "ArrowRight") this.#go(1);
    });
    const picture = this.#find("img");
    picture.addEventListener("load", () => dialog.classList.remove("is-loading"));
    picture.addEventListener("error", () => this.#fail());
  }

  open(results, index) {
    this.#results = results;
    this.#dialog.showModal();
    this.#show(index);
  }

  #find(name) {
    return this.#dialog.querySelector(name);
  }

  #go(step) {
    const index = this.#index + step;
    if (index >= 0 && index < this.#results.length) this.#show(index);
  }

  async #show(index) {
    this.#index = index;
    const result = this.#results[index];
    this.#dialog.classList.add("is-loading");
    this.#dialog.classList.remove("is-broken");
    const size = Math.max(innerWidth, innerHeight) * devicePixelRatio > 1400 ? 2560 : 1280;
    this.#find("img").src = `/api/photos/${result.id}?size=${size}`;
    this.#find("img").alt = [result.category, result.name].filter(Boolean).join(", ");
    this.#find("h2").textContent = result.name;
    this.#find(".facts").textContent = facts(result);
    this.#find(".previous").disabled = index === 0;
    this.#find(".next").disabled = index === this.#results.length - 1;
    this.#find(".copy").textContent = "Copy path";
    this.#find(".path").textContent = "";
    const path = await pathOf(result);
    if (this.#index === index) this.#find(".path").textContent = path;
  }

  async #copy() {
    const text = this.#find(".path").textContent;
    try {
      await navigator.clipboard.writeText(text);
      this.#find(".copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(this.#find(".path")); // without permission for the clipboard, the user can copy the selection
    }
  }

  #fail() {
    this.#dialog.classList.remove("is-loading");
    this.#dialog.classList.add("is-broken");
  }
}

function facts(result) {
  const parts = [`No. ${result.rank}`, result.category ?? result.folder, result.taken?.slice(0, 10), `distance ${result.distance.toFixed(3)}`];
  if (result.score !== null) parts.push(`likely right: ${percent(result.score)}`);
  return parts.filter(Boolean).join(" · ");
}

async function pathOf(result) {
  try {
    const response = await fetch(`/api/photos/${result.id}/about`);
    return response.ok ? (await response.json()).path : "the path is not known any more";
  } catch {
    return "the server does not answer";
  }
}
