// Asks the server how far the index is, and reports when a search may find other photos.

import { announce, find } from "./dom.js";

const SOON = 1000; // milliseconds between questions while photos are indexed
const LATER = 4000; // and while nothing happens

/** Call `show(status)` with each answer of /api/status, and `changed(status)` when the photos may have changed. */
export async function followStatus(show, changed) {
  let last = null;
  for (;;) {
    try {
      const status = await (await fetch("/api/status")).json();
      const isChanged = last && (status.photos !== last.photos || status.updates !== last.updates);
      last = status;
      show(status);
      if (isChanged) await changed(status);
    } catch {
      last = {}; // when it answers again, anything may have changed
      showAway();
    }
    await new Promise((resolve) => setTimeout(resolve, last?.indexing?.running ? SOON : LATER));
  }
}

/** Show in the header that the server does not answer. */
export function showAway() {
  const text = "The server does not answer";
  if (find("#gallery").textContent !== text) announce(text);
  find("#gallery").textContent = text;
  find("#indexing").hidden = true;
}

/** Show the state of the gallery in the header, and beside the sheet what went wrong. */
export function showStatus(status, folder) {
  const { running, done, total, error } = status.indexing ?? { running: false, error: null };
  find("#gallery").textContent = describe(status, folder);
  const bar = find("#indexing");
  bar.hidden = !running || total === 0;
  if (!bar.hidden) [bar.max, bar.value] = [total, done];
  const notice = find("#notice");
  const head = status.photos ? "The photos are not up to date" : "There is nothing to search";
  const text = error === null ? "" : `${head}: ${error}`;
  notice.hidden = error === null;
  if (notice.textContent !== text) notice.textContent = text; // screen readers read it again at every change
  find("#waiting").classList.toggle("is-indexing", running);
}

/** Describe the gallery in one line: how many photos there are, and how long it takes until all are. */
function describe(status, folder) {
  const count = (number) => number.toLocaleString("en");
  const indexing = status.indexing;
  if (!indexing?.running || indexing.done === indexing.total) {
    const unreadable = indexing?.unreadable ? `, ${count(indexing.unreadable)} cannot be read` : "";
    return `${count(status.photos)} ${status.photos === 1 ? "photo" : "photos"} in ${folder}${unreadable}`;
  }
  const left = indexing.seconds_left === null ? "" : `, ${duration(indexing.seconds_left)} left`;
  return `${count(Math.min(status.photos, indexing.total))} of ${count(indexing.total)} photos in ${folder}${left}`;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
