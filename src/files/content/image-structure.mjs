/**
 * Reads the segments of an image without decoding it.
 * @param {Buffer} bytes
 * @param {'png' | 'jpeg' | 'webp' | 'gif'} format
 * @returns null if the file is truncated or malformed, else `{isPlain, frames}`: whether the file has nothing but pixels,
 * colours and timing (no metadata, no bytes after the image), and the frames of an animated PNG, which libvips reads as one
 */
export function readStructure(bytes, format) {
  try {
    return { jpeg: readJpeg, png: readPng, webp: readWebp, gif: readGif }[format](bytes);
  } catch {
    // A read beyond the end.
    return null;
  }
}

const textAt = (bytes, at, length) => bytes.toString('latin1', at, at + length);

/** Application segments without metadata: JFIF, an ICC profile, Adobe's colour transform. */
const PLAIN_SEGMENTS = { 0xe0: /^JFIF\0/, 0xe2: /^ICC_PROFILE\0/, 0xee: /^Adobe/ };
const SIGNATURE_LENGTH = 16;
/** Length of a JFIF segment without a thumbnail. */
const JFIF_LENGTH = 16;

/** ITU T.81, annex B. */
function readJpeg(bytes) {
  let isPlain = true;
  for (let at = 2; ;) {
    if (bytes.readUInt8(at) !== 0xff) return null;
    const marker = bytes.readUInt8(at + 1);
    if (marker === 0xff) at += 1;
    else if (marker === 0xd9) return { isPlain: isPlain && at + 2 === bytes.length };
    else {
      const length = bytes.readUInt16BE(at + 2);
      if (length < 2) return null;
      isPlain &&= isPlainSegment(
        marker,
        textAt(bytes, at + 4, Math.min(length - 2, SIGNATURE_LENGTH)),
        length,
      );
      at += 2 + length;
      if (marker === 0xda) at = scanEnd(bytes, at);
    }
  }
}

function isPlainSegment(marker, signature, length) {
  const isApplication = marker >= 0xe0 && marker <= 0xef;
  if (marker === 0xfe) return false;
  if (!isApplication) return true;
  if (marker === 0xe0 && length !== JFIF_LENGTH) return false;
  return PLAIN_SEGMENTS[marker]?.test(signature) ?? false;
}

/** Finds the marker after entropy-coded data, in which 0xFF is followed by 0 or a restart marker. */
function scanEnd(bytes, start) {
  for (let at = start; at < bytes.length - 1; at++) {
    if (bytes[at] !== 0xff) continue;
    const next = bytes[at + 1];
    if (next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at;
  }
  throw new RangeError('The scan does not end.');
}

const PNG_METADATA = new Set(['eXIf', 'iTXt', 'tEXt', 'tIME', 'zTXt']);
const PNG_SIGNATURE_LENGTH = 8;

/** PNG, third edition, section 5. */
function readPng(bytes) {
  const structure = { isPlain: true };
  for (let at = PNG_SIGNATURE_LENGTH; ;) {
    const end = at + 12 + bytes.readUInt32BE(at);
    const type = textAt(bytes, at + 4, 4);
    bytes.readUInt8(end - 1);
    if (type === 'acTL') structure.frames = bytes.readUInt32BE(at + 8);
    if (PNG_METADATA.has(type) || !/^[A-Za-z]{4}$/.test(type)) structure.isPlain = false;
    if (type === 'IEND') return { ...structure, isPlain: structure.isPlain && end === bytes.length };
    at = end;
  }
}

/** Keeps the chunks of a PNG that are not metadata. There may be millions of them. */
export function withoutPngMetadata(bytes) {
  const kept = Buffer.alloc(bytes.length);
  let length = bytes.copy(kept, 0, 0, PNG_SIGNATURE_LENGTH);
  for (let at = PNG_SIGNATURE_LENGTH; ;) {
    const end = at + 12 + bytes.readUInt32BE(at);
    const type = textAt(bytes, at + 4, 4);
    if (!PNG_METADATA.has(type)) length += bytes.copy(kept, length, at, end);
    if (type === 'IEND') return kept.subarray(0, length);
    at = end;
  }
}

const WEBP_CHUNKS = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ANIM', 'ANMF', 'ICCP']);

/** RFC 9649, section 2. */
function readWebp(bytes) {
  const end = 8 + bytes.readUInt32LE(4);
  bytes.readUInt8(end - 1);
  let isPlain = end === bytes.length;
  for (let at = 12; at < end;) {
    isPlain &&= WEBP_CHUNKS.has(textAt(bytes, at, 4));
    const length = bytes.readUInt32LE(at + 4);
    at += 8 + length + (length % 2);
    bytes.readUInt8(at - 1);
  }
  return { isPlain };
}

/** GIF89a, sections 17 to 27. */
function readGif(bytes) {
  let isPlain = true;
  for (let at = 13 + colorTableLength(bytes.readUInt8(10)); ;) {
    const introducer = bytes.readUInt8(at);
    if (introducer === 0x3b) return { isPlain: isPlain && at + 1 === bytes.length };
    if (introducer === 0x2c) {
      at = afterSubBlocks(bytes, at + 11 + colorTableLength(bytes.readUInt8(at + 9)));
    } else if (introducer === 0x21) {
      isPlain &&= isPlainExtension(bytes, at);
      at = afterSubBlocks(bytes, at + 2);
    } else return null;
  }
}

function isPlainExtension(bytes, at) {
  const label = bytes.readUInt8(at + 1);
  if (label === 0xf9) return true;
  return label === 0xff && /^(?:NETSCAPE2\.0|ANIMEXTS1\.0)$/.test(textAt(bytes, at + 3, 11));
}

function colorTableLength(flags) {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

function afterSubBlocks(bytes, start) {
  let at = start;
  for (let length = bytes.readUInt8(at); length > 0; length = bytes.readUInt8(at)) at += 1 + length;
  return at + 1;
}
