// What every part of the page uses.

export const find = (name) => document.querySelector(name);

/** Say below the sheet what went wrong with what a person did; an empty text takes it back. */
export function complain(text) {
  find("#problem").hidden = text === "";
  find("#problem").textContent = text;
}

/** Let screen readers say a line. */
export function announce(line) {
  find("#announcer").textContent = line;
}
