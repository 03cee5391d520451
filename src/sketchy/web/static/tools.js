// The toolbar and the keys of the drawing.

import { find } from "./dom.js";
import { download } from "./files.js";

/** Connect the toolbar with the sheet and the drawing. */
export function connectTools(pad, drawing) {
  const press = (name, action) => find(name).addEventListener("click", action);
  press("#pen", () => choose(pad, "pen"));
  press("#eraser", () => choose(pad, "eraser"));
  press("#undo", () => drawing.undo());
  press("#redo", () => drawing.redo());
  press("#clear", () => drawing.replace([]));
  press("#save", () => download(drawing.marks));
  find("#width").addEventListener("input", () => setWidth(pad));
  addEventListener("keydown", (event) => shortcut(event, pad, drawing));
  drawing.addEventListener("change", () => showState(drawing));
  setWidth(pad);
}

function choose(pad, tool) {
  pad.tool = tool;
  for (const name of ["pen", "eraser"]) find(`#${name}`).setAttribute("aria-pressed", String(name === tool));
  find("#sheet").classList.toggle("is-erasing", tool === "eraser");
}

function setWidth(pad) {
  pad.width = Number(find("#width").value);
  find("#sheet").style.setProperty("--pen", String(pad.width));
}

function showState(drawing) {
  find("#undo").disabled = !drawing.canUndo;
  find("#redo").disabled = !drawing.canRedo;
  find("#clear").disabled = drawing.isEmpty;
  find("#save").disabled = drawing.isEmpty;
  find("#sheet").classList.toggle("has-ink", drawing.marks.length > 0);
  // Pictures are usually dark on light, so the sheet is light in either theme.
  find("#sheet").classList.toggle("is-light", drawing.marks.some((mark) => mark.image));
}

function shortcut(event, pad, drawing) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || find("#viewer").open) return;
  if (event.target.matches("input:not([type=range])")) return; // a text field has an undo of its own
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
}
