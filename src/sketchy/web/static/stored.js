// Values that the browser keeps; without room or permission, it keeps none.

/** Read a value of a storage; `otherwise` if there is none. */
export function read(storage, name, otherwise) {
  try {
    return JSON.parse(window[storage].getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keep a value in a storage, `localStorage` or `sessionStorage`. */
export function write(storage, name, value) {
  try {
    window[storage].setItem(name, JSON.stringify(value));
  } catch {
    // The page works without it.
  }
}
