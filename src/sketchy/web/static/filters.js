// The controls that narrow a search: filters, and the number of photos.

import { find } from "./dom.js";

const FILTERS = ["category", "folder", "since", "until"];

/** A group of controls: their values by the names of the parameters of a search, which the address holds too. */
export const filters = {
  values() {
    return Object.fromEntries(FILTERS.map((name) => [name, find(`#${name}`).value]));
  },

  /** Set the controls from the parameters of an address; what a list does not offer is left out. */
  restore(parts) {
    for (const name of FILTERS) find(`#${name}`).value = parts.get(name) ?? "";
    for (const name of ["category", "folder"]) if (find(`#${name}`).selectedIndex < 0) find(`#${name}`).value = "";
    find("#k").value = parts.get("k") ?? find("#k").defaultValue;
    showK();
  },
};

/** Call `search()` when a filter changes, and `schedule()` while the number of photos does. */
export function connectFilters(search, schedule) {
  for (const name of FILTERS) find(`#${name}`).addEventListener("change", search);
  find("#k").addEventListener("input", () => (showK(), schedule()));
}

/** Offer the categories, folders and dates of a gallery, as /api/info describes it. */
export function offerFilters({ categories, folders, limits }) {
  find("#k").max = Math.min(limits.k, 100);
  fill(find("#category"), categories, (name) => name);
  fill(find("#folder"), folders, indented);
  find("#filter").hidden = categories.length === 0;
  find("#in-folder").hidden = folders.length === 0;
  find("#dates").hidden = categories.length > 0;
}

function fill(select, choices, text) {
  const chosen = select.value;
  select.length = 1;
  for (const { name, photos } of choices) {
    select.add(new Option(`${text(name)} (${photos.toLocaleString("en")})`, name, false, name === chosen));
  }
}

/** The name of a folder at its depth in the tree. */
function indented(name) {
  const parts = name.split("/");
  return "\u2003".repeat(parts.length - 1) + parts.at(-1);
}

function showK() {
  find("#k-shown").textContent = find("#k").value;
}
