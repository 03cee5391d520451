// What every part of the page uses.

export const find = (name) => document.querySelector(name);

/** Let screen readers say a line. */
export function announce(line) {
  find("#announcer").textContent = line;
}
