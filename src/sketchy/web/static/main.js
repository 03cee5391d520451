// Connects the parts of the page: the drawing, the search, and the photos that were found.

import { decode, encode } from "./code.js";
import { Drawing, Exporter, Layer } from "./drawing.js";
import { download, pictureIn, readMarks } from "./files.js";
import { ResultsGrid } from "./grid.js";
import { Pad } from "./pad.js";
import { SearchClient } from "./search_client.js";
import { followStatus, showInfo, showStatus } from "./status.js";
import { Viewer } from "./viewer.js";

const FILTERS = ["category", "folder", "since", "until"];
const QUIET = 700; // milliseconds without change before the screen reader and the address are updated

const find = (name) => document.querySelector(name);
const results = find("#results");
const drawing = new Drawing();
const exporter = new Exporter(512); // pixels: several times the input of the models
const pad = new Pad(find("#canvas"), find("#cursor"), drawing, announce);
const grid = new ResultsGrid(find("#grid"), (index) => viewer.open(shown, index));
const viewer = new Viewer(find("#viewer"), { like: (result) => searchLike(result.id), closed: (index) => grid.focus(index) });
const client = new SearchClient({ started, slow, succeeded, failed });

let shown = []; // results in the grid
let like = null; // id of the photo that is the query; null if the query is the drawing
let quiet = 0; // timer
let folder = ""; // name of the gallery
let status = null; // last answer of /api/status

// --- searching ---

function search(how = "send", since = performance.now()) {
  if (like === null && pad.marks.every((mark) => mark.erase)) {
    client.cancel();
    shown = [];
    grid.show([]);
    become("empty");
    return;
  }
  const common = { k: Number(find("#k").value), filters: filters(), since };
  if (like === null) {
    const marks = pad.marks;
    client[how]({ ...common, kind: "sketch", image: () => exporter.png(copied(marks)) });
  } else {
    client[how]({ ...common, kind: "photo", image: () => photo(like) });
  }
}

/** The chosen filters, by the names of their controls and of the parameters of a search. */
function filters() {
  return Object.fromEntries(FILTERS.map((name) => [name, find(`#${name}`).value]));
}

/** Copy the stroke that is being drawn, since the exporter recognises marks that it has painted by identity. */
function copied(marks) {
  const last = marks.at(-1);
  return pad.isDrawing ? [...marks.slice(0, -1), { ...last, points: [...last.points] }] : marks;
}

async function photo(id) {
  const response = await fetch(`/api/photos/${id}?size=640`);
  if (response.ok) return response.blob();
  throw { status: response.status, reason: (await response.json()).error };
}

function started() {
  results.classList.add("is-searching");
}

function slow() {
  results.classList.add("is-slow");
  say("Still searching. The machine is busy.");
}

function succeeded(response, query) {
  shown = response.results;
  become(shown.length ? "found" : status?.photos === 0 ? "waiting" : "none");
  grid.show(shown);
  // The latency after painting, for scripts/measure_page.py.
  requestAnimationFrame(() => setTimeout(() => performance.measure("stroke to results", { start: query.since })));
  say(shown.length ? describeCount(shown.length) : "No photo matches.");
}

function failed(problem) {
  const blank = problem.status === 422;
  if (blank && pad.isDrawing) return results.classList.remove("is-searching"); // the stroke is only beginning
  shown = [];
  grid.show([]);
  become(blank ? "blank" : "failed");
  find("#reason").textContent = problem.reason;
  find("#failed").classList.toggle("is-offline", problem.status === 0);
  say("", blank ? "There is too little ink to search with." : problem.reason);
}

function become(state) {
  results.dataset.state = state;
  results.classList.remove("is-searching", "is-slow");
  if (state === "empty") say("");
}

function describeCount(count) {
  if (like !== null) return `the ${count} most like this one`;
  return count === 1 ? "the nearest one" : `the ${count} nearest`;
}

/** Show a line at once, and announce `spoken` to screen readers unless another line follows soon. */
function say(line, spoken = line) {
  find("#line").textContent = line;
  clearTimeout(quiet);
  quiet = setTimeout(() => {
    const nearest = shown.slice(0, 3).map((result) => result.category ?? result.name);
    announce(shown.length ? `${spoken}: ${nearest.join(", ")}` : spoken);
    writeAddress();
  }, QUIET);
}

function announce(line) {
  find("#announcer").textContent = line;
}

// --- the query in the address ---

function writeAddress() {
  const parts = new URLSearchParams();
  const code = encode(drawing.marks);
  if (like !== null) parts.set("like", like);
  else if (code !== null && !drawing.isEmpty) parts.set("d", code);
  if (find("#k").value !== find("#k").defaultValue) parts.set("k", find("#k").value);
  for (const [name, value] of Object.entries(filters())) if (value) parts.set(name, value);
  history.replaceState(null, "", `#${parts}`);
}

function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const code = parts.get("d");
  find("#k").value = parts.get("k") ?? find("#k").defaultValue;
  for (const name of FILTERS) find(`#${name}`).value = parts.get(name) ?? "";
  for (const name of ["category", "folder"]) if (find(`#${name}`).selectedIndex < 0) find(`#${name}`).value = "";
  setLike(parts.get("like"));
  showK();
  const marks = code === null ? null : decode(code);
  if (marks && code !== encode(drawing.marks)) drawing.replace(marks);
  else search();
}

// --- photos like this one ---

function searchLike(id) {
  writeAddress();
  history.pushState(null, "", `#like=${id}`);
  readAddress();
  scrollTo({ top: 0 });
}

function setLike(id) {
  like = /^[0-9a-f]{24}$/.test(id ?? "") ? id : null;
  find("#sheet").classList.toggle("is-photo", like !== null);
  find("#canvas").inert = like !== null;
  find("#query-photo").hidden = like === null;
  if (like === null) return;
  find("#query-photo img").src = `/api/photos/${like}?size=640`;
  const known = shown.find((result) => result.id === like);
  find("#query-photo figcaption").textContent = known ? `Photos like ${known.name}` : "Photos like this one";
}

function backToDrawing() {
  setLike(null);
  find("#canvas").focus();
  search();
}

// --- the drawing ---

function changed() {
  if (like !== null) setLike(null);
  find("#undo").disabled = !drawing.canUndo;
  find("#redo").disabled = !drawing.canRedo;
  find("#clear").disabled = drawing.isEmpty;
  find("#save").disabled = drawing.isEmpty;
  find("#sheet").classList.toggle("has-ink", drawing.marks.length > 0);
  // Pictures are usually dark on light, so the sheet is light in either theme.
  find("#sheet").classList.toggle("is-light", drawing.marks.some((mark) => mark.image));
  pad.refresh();
  search();
}

function choose(tool) {
  pad.tool = tool;
  for (const name of ["pen", "eraser"]) find(`#${name}`).setAttribute("aria-pressed", String(name === tool));
  find("#sheet").classList.toggle("is-erasing", tool === "eraser");
}

async function open(file) {
  try {
    drawing.replace(await readMarks(file));
  } catch {
    client.cancel();
    failed({ status: 415, reason: `${file.name || "This file"} is not a picture that the browser can open.` });
  }
}

function openFrom(transfer) {
  const file = pictureIn(transfer);
  if (file) open(file);
  return Boolean(file);
}

function showK() {
  find("#k-shown").textContent = find("#k").value;
}

function setWidth() {
  pad.width = Number(find("#width").value);
  find("#sheet").style.setProperty("--pen", String(pad.width));
}

// --- events ---

const press = (name, action) => find(name).addEventListener("click", action);
press("#pen", () => choose("pen"));
press("#eraser", () => choose("eraser"));
press("#undo", () => drawing.undo());
press("#redo", () => drawing.redo());
press("#clear", () => drawing.replace([]));
press("#save", () => download(drawing.marks));
press("#open", () => find("#file").click());
press("#back", backToDrawing);
press("#again", () => search());
press("#theme", toggleTheme);
find("#width").addEventListener("input", setWidth);
find("#k").addEventListener("input", () => (showK(), search("schedule")));
for (const name of FILTERS) find(`#${name}`).addEventListener("change", () => search());
find("#file").addEventListener("change", (event) => {
  openFrom(event.target);
  event.target.value = "";
});
drawing.addEventListener("change", changed);
pad.addEventListener("stroke", () => search("schedule"));
addEventListener("popstate", readAddress);
const doodles = [];
for (const button of document.querySelectorAll("[data-sketch]")) {
  const marks = decode(button.dataset.sketch);
  doodles.push({ layer: new Layer(button.querySelector("canvas")), marks });
  button.addEventListener("click", () => (drawing.replace(marks), find("#canvas").focus({ preventScroll: true })));
}

addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || find("#viewer").open) return;
  const key = event.key.toLowerCase();
  if (key === "z") {
    event.preventDefault();
    pad.finish();
    if (event.shiftKey) drawing.redo();
    else drawing.undo();
  } else if (key === "y") {
    event.preventDefault();
    drawing.redo();
  } else if (key === "s" && !drawing.isEmpty) {
    event.preventDefault();
    download(drawing.marks);
  }
});
addEventListener("paste", (event) => openFrom(event.clipboardData) && event.preventDefault());
addEventListener("dragover", (event) => {
  event.preventDefault();
  find("#sheet").classList.add("is-target");
});
addEventListener("dragleave", (event) => event.relatedTarget ?? find("#sheet").classList.remove("is-target"));
addEventListener("drop", (event) => {
  event.preventDefault();
  find("#sheet").classList.remove("is-target");
  openFrom(event.dataTransfer);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

function toggleTheme() {
  const root = document.documentElement;
  const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  repaint();
}

/** Paint all drawings in the ink colour of the theme. */
function repaint() {
  pad.refresh();
  for (const { layer, marks } of doodles) layer.show(marks, getComputedStyle(layer.canvas).color);
}

// --- the gallery, which may grow ---

/** Search again, unless a stroke is being drawn: its end will. */
async function photosChanged(answer) {
  if (!pad.isDrawing && !find("#viewer").open) search("schedule");
  if (!answer.indexing?.running) await readInfo();
}

/** Show what the gallery holds. */
async function readInfo() {
  folder = showInfo(await (await fetch("/api/info")).json());
}

async function start() {
  setWidth();
  repaint();
  try {
    await readInfo();
    followStatus((answer) => showStatus((status = answer), folder), photosChanged);
  } catch {
    failed({ status: 0, reason: "The server does not answer." });
  }
  readAddress();
}

start();
