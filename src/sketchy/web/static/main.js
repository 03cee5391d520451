// Connects the parts of the page: the drawing, the search, and the photos that were found.

import { announce, complain, find } from "./dom.js";
import { Doodles } from "./doodles.js";
import { Drawing } from "./drawing.js";
import { Examples } from "./examples.js";
import { connectFiles, readMarks } from "./files.js";
import { connectFilters, filters, offerFilters } from "./filters.js";
import { KindNote } from "./kind.js";
import { Pad } from "./pad.js";
import { connectPrompts, suggest } from "./prompts.js";
import { Query } from "./query.js";
import { keepSheet, RecentDrawings, restoreSheet } from "./recent.js";
import { ResultsView } from "./results.js";
import { followStatus, showAway, showStatus } from "./status.js";
import { connectTheme } from "./theme_button.js";
import { connectTools } from "./tools.js";
import { connectWords, offerWords, words } from "./words.js";

const drawing = new Drawing();
const pad = new Pad(find("#canvas"), find("#cursor"), drawing, announce);
const view = new ResultsView({
  like: (result) => query.searchLike(result.id),
  judge: (result, way) => examples.add(result.id, way),
  quiet: () => query.store(),
  paint: (canvas) => query.paint(canvas),
});
const examples = new Examples(() => query.search());
const query = new Query(pad, drawing, view, [filters, words, examples], new KindNote(() => query.search()));
const offered = document.querySelectorAll("[data-sketch]");
const doodles = new Doodles(offered, begin);
const recent = new RecentDrawings(begin, new Set([...offered].map((button) => button.dataset.sketch)));
let gallery = ""; // its name
let described = 0; // number of photos when its folders were read

connectTools(pad, drawing);
connectFilters(() => query.search(), () => query.schedule());
connectWords(() => query.search(), () => query.schedule());
connectFiles(open);
connectTheme(repaint);
connectPrompts(() => find("#canvas").focus());
drawing.addEventListener("change", () => query.drawingChanged());
pad.addEventListener("stroke", () => query.schedule());
drawing.addEventListener("replace", () => recent.keep(drawing));
addEventListener("pagehide", keepDrawing);
document.addEventListener("visibilitychange", () => document.hidden && keepDrawing());
find("#again").addEventListener("click", () => {
  query.search();
  find("#canvas").focus({ preventScroll: true });
});

/** Put a drawing on the sheet. */
function begin(marks) {
  drawing.replace(marks);
  find("#canvas").focus({ preventScroll: true });
}

async function open(file) {
  try {
    drawing.replace(await readMarks(file));
    complain("");
  } catch {
    complain(`${file.name || "This file"} is not a picture that can be opened; try a PNG or a JPEG.`);
  }
}

/** Keep what is drawn, as the page may never come back. */
function keepDrawing() {
  pad.finish();
  recent.keep(drawing);
  keepSheet(drawing);
}

function repaint() {
  pad.refresh();
  doodles.paint();
  recent.paint();
  query.paint(find("#viewer .query"));
}

// --- the gallery, which may grow ---

/** Search again, unless a stroke is being drawn: its end will. */
async function photosChanged(status) {
  if (!pad.isDrawing && !find("#viewer").open) query.schedule();
  if (!status.indexing?.running || status.photos > 1.5 * described) await readInfo(); // seldom, as it takes long
}

/** Show what the gallery holds. */
async function readInfo() {
  const info = await (await fetch("/api/info")).json();
  described = info.photos;
  gallery = info.gallery.split(/[\\/]/).filter(Boolean).at(-1) ?? info.gallery;
  find("#gallery").title = info.gallery;
  offerFilters(info);
  offerWords(info);
  suggest(info.categories);
}

function statusCame(status) {
  query.waiting = status.photos === 0;
  showStatus(status, gallery);
}

async function start() {
  repaint();
  await readInfo().catch(showAway);
  followStatus(statusCame, photosChanged);
  query.restore({ keep: await restoreSheet(drawing) });
}

start();
