// PNGs made and read here: sketches to search for, which need no compression, and text inside a PNG, since a saved sketch
// is an ordinary picture and also contains its strokes for this page.

const KEYWORD = "sketchy";
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const HEAD_END = 33; // the signature and the chunk IHDR
const ROW_HEAD = 6; // bytes before the pixels of a row: the head of a block that is not compressed, and the filter
const CRCS = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

/**
 * Make a square grey PNG at once and without compression; `canvas.toBlob` waits until the browser is idle, and takes
 * longer to compress a sketch than the server to find its photos. `pixels` has a byte for each; rows are at most 65,534.
 */
export function greyPng(side, pixels) {
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, side);
  head.setUint32(4, side);
  head.setUint8(8, 8); // bits; the zeros that follow: grey, deflate, usual filters, not interlaced
  const bytes = new Uint8Array(2 + side * (ROW_HEAD + side) + 4);
  bytes.set([0x78, 0x01]);
  const length = side + 1;
  let [low, high] = [1, 0]; // the checksum Adler-32
  for (let row = 0, at = 2; row < side; row++, at += ROW_HEAD + side) {
    bytes.set([row === side - 1 ? 1 : 0, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255, 0], at);
    bytes.set(pixels.subarray(row * side, (row + 1) * side), at + ROW_HEAD);
    for (let index = at + ROW_HEAD - 1; index < at + ROW_HEAD + side; index++) high += low += bytes[index];
    [low, high] = [low % 65521, high % 65521];
  }
  new DataView(bytes.buffer).setUint32(bytes.length - 4, high * 65536 + low);
  const parts = [new Uint8Array(SIGNATURE), chunk("IHDR", new Uint8Array(head.buffer)), chunk("IDAT", bytes)];
  return new Blob([...parts, chunk("IEND", new Uint8Array())], { type: "image/png" });
}

/** Add an ASCII text to a PNG. */
export async function withText(png, text) {
  const added = chunk("tEXt", new TextEncoder().encode(`${KEYWORD}\0${text}`));
  return new Blob([png.slice(0, HEAD_END), added, png.slice(HEAD_END)], { type: "image/png" });
}

/** Read the text that `withText` added; null if there is none. */
export async function textOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) return null;
  const view = new DataView(bytes.buffer);
  for (let offset = 8; offset + 12 <= bytes.length; ) {
    const length = view.getUint32(offset);
    const content = String.fromCharCode(...bytes.subarray(offset + 4, offset + 9 + KEYWORD.length));
    if (content === `tEXt${KEYWORD}\0`) {
      return new TextDecoder().decode(bytes.subarray(offset + 9 + KEYWORD.length, offset + 8 + length));
    }
    offset += length + 12;
  }
  return null;
}

function chunk(name, content) {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, checksum(bytes.subarray(4, -4)));
  return bytes;
}

function checksum(bytes) {
  let value = -1;
  for (let index = 0; index < bytes.length; index++) value = (value >>> 8) ^ CRCS[(value ^ bytes[index]) & 255];
  return ~value >>> 0;
}
