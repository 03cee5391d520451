// Text inside a PNG: a saved sketch is an ordinary picture, and also contains its strokes for this page.

const KEYWORD = "sketchy";
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const HEAD_END = 33; // the signature and the chunk IHDR

/** Add an ASCII text to a PNG. */
export async function withText(png, text) {
  const content = new TextEncoder().encode(`tEXt${KEYWORD}\0${text}`);
  const chunk = new DataView(new ArrayBuffer(content.length + 8));
  chunk.setUint32(0, content.length - 4);
  new Uint8Array(chunk.buffer).set(content, 4);
  chunk.setUint32(content.length + 4, checksum(content));
  return new Blob([png.slice(0, HEAD_END), chunk, png.slice(HEAD_END)], { type: "image/png" });
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

function checksum(bytes) {
  let value = -1;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ -1) >>> 0;
}
