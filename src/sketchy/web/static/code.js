// Encodes strokes as a short text, for the address of the page and for saved pictures.
//
// The text is a version digit and base64url. Each stroke has a header (width, eraser, pressure), the number of points,
// and the steps between the points in whole units. A short step is one byte, 4 bits per axis; 0x88 marks a longer one.

import { SIDE } from "./drawing.js";

const VERSION = "1";
const LONG = 0x88;
const MOST_POINTS = 100_000;

/** Encode marks as text; null if one of them is a picture. */
export function encode(marks) {
  if (marks.some((mark) => mark.image)) return null;
  const bytes = [];
  let at = [0, 0];
  for (const { points, erase } of marks) {
    const widths = points.map((point) => Math.max(1, Math.round(point[2])));
    const pressure = widths.some((width) => width !== widths[0]);
    pushNumber(bytes, widths[0] * 4 + (erase ? 2 : 0) + (pressure ? 1 : 0));
    pushNumber(bytes, points.length);
    points.forEach((point, index) => {
      const to = [Math.round(point[0]), Math.round(point[1])];
      pushStep(bytes, to[0] - at[0], to[1] - at[1]);
      if (pressure) pushNumber(bytes, widths[index]);
      at = to;
    });
  }
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return VERSION + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Decode the text of `encode` to marks; null if the text is not valid. */
export function decode(text) {
  if (!text.startsWith(VERSION)) return null;
  try {
    const binary = atob(text.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
    return readMarks(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)));
  } catch {
    return null;
  }
}

function readMarks(bytes) {
  const reader = { bytes, offset: 0 };
  const marks = [];
  let at = [0, 0];
  while (reader.offset < bytes.length) {
    const head = readNumber(reader);
    const count = readNumber(reader);
    if (count < 1 || count > MOST_POINTS) throw new RangeError("invalid number of points");
    const points = [];
    for (let index = 0; index < count; index++) {
      const step = readStep(reader);
      at = [at[0] + step[0], at[1] + step[1]];
      const width = head & 1 ? readNumber(reader) : head >> 2;
      points.push([...at, Math.min(width, SIDE)]);
    }
    marks.push({ points, erase: Boolean(head & 2) });
  }
  return marks;
}

function pushStep(bytes, x, y) {
  const short = Math.abs(x) < 8 && Math.abs(y) < 8;
  if (short) bytes.push(((x & 15) << 4) | (y & 15));
  else {
    bytes.push(LONG);
    pushNumber(bytes, zigzag(x));
    pushNumber(bytes, zigzag(y));
  }
}

function readStep(reader) {
  const byte = readByte(reader);
  if (byte === LONG) return [unzigzag(readNumber(reader)), unzigzag(readNumber(reader))];
  return [signed(byte >> 4), signed(byte & 15)];
}

function pushNumber(bytes, number) {
  for (; number > 127; number >>= 7) bytes.push((number & 127) | 128);
  bytes.push(number);
}

function readNumber(reader) {
  let number = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = readByte(reader);
    number |= (byte & 127) << shift;
    if (byte < 128) return number;
  }
  throw new RangeError("too large");
}

function readByte(reader) {
  if (reader.offset >= reader.bytes.length) throw new RangeError("too short");
  return reader.bytes[reader.offset++];
}

const zigzag = (number) => (number < 0 ? -2 * number - 1 : 2 * number);
const unzigzag = (number) => (number & 1 ? -(number + 1) / 2 : number / 2);
const signed = (nibble) => (nibble > 7 ? nibble - 16 : nibble);
