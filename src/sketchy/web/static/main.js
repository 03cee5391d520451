// Wires the page: a drawing, the question that it is, and the photos that answer.

import { Asker } from "./asker.js";
import { decode, encode } from "./code.js";
import { Drawing, Exporter, Layer, SIDE } from "./drawing.js";
import { Pad } from "./pad.js";
import { textOf, withText } from "./png.js";
import { Viewer } from "./viewer.js";
import { Wall } from "./wall.js";

const SENT_SIDE = 512; // pixels of the sketch that is sent: several times what models look at
const SAVED_SIDE = 1024;
const QUIET = 700; // milliseconds without change before a screen reader is told, and the address is written
const PICTURES = ["image/png", "image/jpeg", "image/webp"];

const find = (name) => document.querySelector(name);
const results = find("#results");
const drawing = new Drawing();
const exporter = new Exporter(SENT_SIDE);
const pad = new Pad(find("#canvas"), find("#cursor"), drawing, announce);
const wall = new Wall(find("#wall"), (place) => viewer.open(shown, place));
const viewer = new Viewer(find("#viewer"), { like: (result) => askLike(result.id), closed: (place) => wall.focus(place) });
const asker = new Asker({ asked, slow, answered, failed });

let shown = []; // results on the wall
let like = null; // id of the photo that is the query; null where the drawing is
let quiet = 0;

// --- asking ---

function ask(how = "now", since = performance.now()) {
  if (like === null && pad.marks.every((mark) => mark.erase)) {
    asker.drop();
    shown = [];
    wall.show([]);
    become("empty");
    return;
  }
  const common = { k: Number(find("#k").value), category: find("#category").value, since };
  if (like === null) {
    const marks = pad.marks;
    asker[how]({ ...common, kind: "sketch", image: () => exporter.png(copied(marks)) });
  } else {
    asker[how]({ ...common, kind: "photo", image: () => photo(like) });
  }
}

/** Freeze the stroke that is being drawn as it is now: the exporter paints what it has not seen. */
function copied(marks) {
  const last = marks.at(-1);
  return pad.isDrawing ? [...marks.slice(0, -1), { ...last, points: [...last.points] }] : marks;
}

async function photo(id) {
  const response = await fetch(`/api/photos/${id}?size=640`);
  if (response.ok) return response.blob();
  throw { status: response.status, reason: (await response.json()).error };
}

function asked() {
  results.classList.add("is-asking");
}

function slow() {
  results.classList.add("is-slow");
  say("Still looking. The machine is busy.");
}

function answered(answer, question) {
  shown = answer.results;
  become(shown.length ? "found" : "none");
  wall.show(shown);
  requestAnimationFrame(() => setTimeout(() => measure(question.since)));
  say(shown.length ? counted(shown.length) : "No photo fits.");
}

/** Leave a mark in the browser's timeline; scripts/measure_page.py reads it. */
function measure(since) {
  performance.measure("stroke to results", { start: since, end: performance.now() });
}

function failed(problem) {
  const blank = problem.status === 422;
  if (blank && pad.isDrawing) return results.classList.remove("is-asking"); // there will be more ink in a moment
  shown = [];
  wall.show([]);
  become(blank ? "blank" : "failed");
  find("#reason").textContent = problem.reason;
  find("#failed").classList.toggle("is-offline", problem.status === 0);
  say("", blank ? "There is too little ink to search with." : problem.reason);
}

function become(state) {
  results.dataset.state = state;
  results.classList.remove("is-asking", "is-slow");
  if (state === "empty") say("");
}

function counted(number) {
  if (like !== null) return `the ${number} most like this one`;
  return number === 1 ? "the nearest one" : `the ${number} nearest`;
}

/** Show a line at once, and tell it to a screen reader when it stays. */
function say(line, told = line) {
  find("#line").textContent = line;
  clearTimeout(quiet);
  quiet = setTimeout(() => {
    const nearest = shown.slice(0, 3).map((result) => result.category ?? result.name);
    announce(shown.length ? `${told}: ${nearest.join(", ")}` : told);
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
  if (find("#category").value) parts.set("category", find("#category").value);
  history.replaceState(null, "", `#${parts}`);
}

function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const code = parts.get("d");
  find("#k").value = parts.get("k") ?? find("#k").defaultValue;
  find("#category").value = parts.get("category") ?? "";
  if (find("#category").selectedIndex < 0) find("#category").value = "";
  setLike(parts.get("like"));
  tellK();
  const marks = code === null ? null : decode(code);
  if (marks && code !== encode(drawing.marks)) drawing.replace(marks);
  else ask();
}

// --- photos like this one ---

function askLike(id) {
  writeAddress();
  history.pushState(null, "", `#like=${id}`);
  readAddress();
  scrollTo({ top: 0 });
}

function setLike(id) {
  like = /^[0-9a-f]{24}$/.test(id ?? "") ? id : null;
  find("#sheet").classList.toggle("is-photo", like !== null);
  find("#canvas").inert = like !== null;
  find("#asked").hidden = like === null;
  if (like === null) return;
  find("#asked img").src = `/api/photos/${like}?size=640`;
  const known = shown.find((result) => result.id === like);
  find("#asked figcaption").textContent = known ? `Photos like ${known.name}` : "Photos like this one";
}

function backToDrawing() {
  setLike(null);
  find("#canvas").focus();
  ask();
}

// --- the drawing ---

function changed() {
  if (like !== null) setLike(null);
  find("#undo").disabled = !drawing.canUndo;
  find("#redo").disabled = !drawing.canRedo;
  find("#clear").disabled = drawing.isEmpty;
  find("#save").disabled = drawing.isEmpty;
  find("#sheet").classList.toggle("has-ink", drawing.marks.length > 0);
  // A picture is dark on light as a rule: the sheet is light then, whatever the theme.
  find("#sheet").classList.toggle("is-light", drawing.marks.some((mark) => mark.image));
  pad.refresh();
  ask();
}

function choose(tool) {
  pad.tool = tool;
  for (const name of ["pen", "eraser"]) find(`#${name}`).setAttribute("aria-pressed", String(name === tool));
  find("#sheet").classList.toggle("is-erasing", tool === "eraser");
}

async function open(file) {
  const text = await textOf(file);
  const marks = text === null ? null : decode(text);
  if (marks?.length) return drawing.replace(marks);
  try {
    const image = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    drawing.replace([{ image: canvas }]);
  } catch {
    asker.drop();
    failed({ status: 415, reason: `${file.name || "This file"} is no picture that the browser can open.` });
  }
}

function openFrom(transfer) {
  const file = [...(transfer?.files ?? [])].find((each) => PICTURES.includes(each.type) || !each.type);
  if (file) open(file);
  return Boolean(file);
}

async function save() {
  const png = await new Exporter(SAVED_SIDE).png(drawing.marks);
  const code = encode(drawing.marks);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(code === null ? png : await withText(png, code));
  link.download = "sketch.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function tellK() {
  find("#k-shown").textContent = find("#k").value;
}

function setWidth() {
  pad.width = Number(find("#width").value);
  find("#sheet").style.setProperty("--pen", String(pad.width));
}

// --- everything that can be pressed ---

const press = (name, action) => find(name).addEventListener("click", action);
press("#pen", () => choose("pen"));
press("#eraser", () => choose("eraser"));
press("#undo", () => drawing.undo());
press("#redo", () => drawing.redo());
press("#clear", () => drawing.replace([]));
press("#save", save);
press("#open", () => find("#file").click());
press("#back", backToDrawing);
press("#again", () => ask());
press("#theme", toggleTheme);
find("#width").addEventListener("input", setWidth);
find("#k").addEventListener("input", () => (tellK(), ask("soon")));
find("#category").addEventListener("change", () => ask());
find("#file").addEventListener("change", (event) => {
  openFrom(event.target);
  event.target.value = "";
});
drawing.addEventListener("change", changed);
pad.addEventListener("stroke", () => ask("soon"));
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
    save();
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

/** Paint everything with the ink of the theme. */
function repaint() {
  pad.refresh();
  for (const { layer, marks } of doodles) layer.show(marks, getComputedStyle(layer.canvas).color);
}

async function start() {
  setWidth();
  repaint();
  try {
    const info = await (await fetch("/api/info")).json();
    const folder = info.gallery.split(/[\\/]/).filter(Boolean).at(-1) ?? info.gallery;
    find("#gallery").textContent = `${info.photos.toLocaleString("en")} photos in ${folder}`;
    find("#gallery").title = info.gallery;
    find("#k").max = Math.min(info.limits.k, 100, info.photos);
    for (const { name, photos } of info.categories) {
      find("#category").add(new Option(`${name} (${photos.toLocaleString("en")})`, name));
    }
    find("#filter").hidden = info.categories.length === 0;
  } catch {
    failed({ status: 0, reason: "The server does not answer." });
  }
  readAddress();
}

start();
