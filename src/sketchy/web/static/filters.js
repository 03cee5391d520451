// The controls that narrow a search, behind the button Filter.

import { find } from "./dom.js";

const STEP = 20; // photos more at a time
const FILTERS = ["category", "folder", "since", "until", "name"];

/** A group of controls: their values by the names of the parameters of a search, which the address holds too. */
export const filters = {
  values() {
    return { ...chosen(), k: find("#k").value };
  },

  /** As the values, but a name without a wildcard may be any part of the name of a file. */
  parameters() {
    const { name, ...others } = this.values();
    return { ...others, name: name && !/[*?[]/.test(name) ? `*${name}*` : name };
  },

  /** Set the controls from the parameters of an address; what a list does not offer is left out. */
  restore(parts) {
    for (const name of FILTERS) find(`#${name}`).value = parts.get(name) ?? "";
    for (const name of ["category", "folder"]) if (find(`#${name}`).selectedIndex < 0) find(`#${name}`).value = "";
    find("#k").value = parts.get("k") ?? find("#k").defaultValue;
    showState();
  },
};

/** Call `search()` when a filter changes, and `schedule()` while the number of photos does. */
export function connectFilters(search, schedule) {
  const changed = () => (showState(), search());
  for (const name of FILTERS) find(`#${name}`).addEventListener("change", changed);
  find("#k").addEventListener("input", () => (showState(), schedule()));
  find("#more").addEventListener("click", () => {
    find("#k").value = Number(find("#k").value) + STEP;
    changed();
  });
  find("#filter").addEventListener("click", () => show(find("#filters").hidden));
  find("#filters").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    show(false);
  });
  // Where they are a line to swipe along, browsers leave a control cut that was in view in part.
  find("#filters").addEventListener("focusin", ({ target }) => target.scrollIntoView({ block: "nearest", inline: "nearest" }));
  find("#unfilter").addEventListener("click", () => {
    for (const name of FILTERS) find(`#${name}`).value = "";
    changed();
    find("#filter").focus();
  });
}

/** Offer the categories, folders and dates of a gallery, as /api/info describes it. */
export function offerFilters({ categories, folders, limits }) {
  find("#k").max = Math.min(limits.k, 100);
  fill(find("#category"), categories, (name) => name);
  fill(find("#folder"), folders, indented);
  const offer = (name, isOffered) => (find(`#${name}`).parentElement.hidden = !isOffered);
  offer("category", categories.length > 0);
  offer("folder", folders.length > 0);
  for (const name of ["since", "until"]) offer(name, categories.length === 0);
}

/** Offer more photos if there may be some, as all that were asked for were found. */
export function offerMore(found) {
  const { value, max } = find("#k");
  find("#more").hidden = found < Number(value) || value === max;
}

function chosen() {
  return Object.fromEntries(FILTERS.map((name) => [name, find(`#${name}`).value]));
}

function show(isShown) {
  find("#filters").hidden = !isShown;
  find("#filter").setAttribute("aria-expanded", String(isShown));
  if (!isShown) find("#filter").focus();
}

function showState() {
  const count = Object.values(chosen()).filter(Boolean).length;
  find("#k-shown").textContent = find("#k").value;
  find("#filter").textContent = count ? `Filter \u00b7 ${count}` : "Filter";
  find("#filter").classList.toggle("is-active", count > 0);
  find("#unfilter").disabled = count === 0;
}

/** Fill a list with names, isolated so that the number of photos stays behind one that is written from right to left. */
function fill(select, choices, text) {
  const chosen = select.value;
  select.length = 1;
  for (const { name, photos } of choices) {
    select.add(new Option(`\u2068${text(name)}\u2069 (${photos.toLocaleString("en")})`, name, false, name === chosen));
  }
}

/** The name of a folder at its depth in the tree. */
function indented(name) {
  const parts = name.split("/");
  return "\u2003".repeat(parts.length - 1) + parts.at(-1);
}
