// Opens and saves sketches as files.

import { decode, encode } from "./code.js";
import { complain, find } from "./dom.js";
import { Exporter, SIDE } from "./drawing.js";
import { textOf, withText } from "./png.js";

const SAVED_SIDE = 1024; // pixels
const PICTURES = ["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/avif"];

/** Call `open(file)` with the picture that a person chooses, pastes or drops. */
export function connectFiles(open) {
  find("#open").addEventListener("click", () => find("#file").click());
  find("#file").addEventListener("change", (event) => {
    openFrom(event.target, open);
    event.target.value = "";
  });
  addEventListener("paste", (event) => openFrom(event.clipboardData, open) && event.preventDefault());
  addEventListener("dragover", (event) => {
    if (isForField(event)) return;
    event.preventDefault();
    find("#sheet").classList.add("is-target");
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? find("#sheet").classList.remove("is-target"));
  addEventListener("drop", (event) => {
    find("#sheet").classList.remove("is-target");
    if (isForField(event)) return;
    event.preventDefault();
    if (!openFrom(event.dataTransfer, open)) complain("That is no file; drop a PNG or a JPEG.");
  });
}

/** Whether text is dragged over a text field, which takes it by itself. */
function isForField({ target, dataTransfer }) {
  return target.matches?.("input") && !dataTransfer.types.includes("Files");
}

/** Open the first picture, or else the first file, of an input, a paste or a drop; return whether there is one. */
function openFrom(transfer, open) {
  const files = [...(transfer?.files ?? [])];
  const file = files.find((each) => PICTURES.includes(each.type) || !each.type) ?? files[0];
  if (file) open(file);
  return Boolean(file);
}

/** Read a saved sketch, or any picture, as marks; rejects if neither browser nor server can open it. */
export async function readMarks(file) {
  const text = await textOf(file);
  const marks = text === null ? null : decode(text);
  return marks?.length ? marks : [{ image: shrink(await bitmap(file)), file: PICTURES.includes(file.type) ? file : undefined }];
}

async function bitmap(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    const response = await fetch("/api/convert", { method: "POST", body: file }); // few browsers open HEIC
    return createImageBitmap(await response.blob());
  }
}

function shrink(image) {
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Download marks as a PNG that contains their strokes. */
export async function download(marks) {
  const png = await new Exporter(SAVED_SIDE).png(marks);
  const code = encode(marks);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(code === null ? png : await withText(png, code));
  link.download = "sketch.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
