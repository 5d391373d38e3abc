import { isHighSurrogate, isLowSurrogate } from '../text/utf16.js';

/** Overhead of a frame or an acknowledgement. */
const ENVELOPE_BYTES = 1024;
/** Maximum JSON of one page's items; a single item may exceed it. */
export const MAX_PAGE_BYTES = 16 * 1024 * 1024 - ENVELOPE_BYTES;

/** JSON length of each ASCII character: control characters take six bytes, or two with a short escape. */
const ASCII_BYTES = Uint8Array.from(
  { length: 128 },
  (_, unit) => JSON.stringify(String.fromCharCode(unit)).length - 2,
);

/** Computes the length of a DTO as JSON in UTF-8, without encoding it. */
export function jsonSize(value: unknown): number {
  if (typeof value === 'string') return textSize(value) + 2;
  if (Array.isArray(value)) return sum(value.map((item) => jsonSize(item) + 1)) + (value.length > 0 ? 1 : 2);
  if (typeof value !== 'object' || value === null) return String(value).length;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const sizes = members.map(([name, member]) => jsonSize(name) + jsonSize(member) + 2);
  return sum(sizes) + (sizes.length > 0 ? 1 : 2);
}

function textSize(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) bytes += ASCII_BYTES[unit]!;
    else if (unit < 0x800) bytes += 2;
    else if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(at + 1))) {
      bytes += 4;
      at++;
    } else bytes += isHighSurrogate(unit) || isLowSurrogate(unit) ? 6 : 3;
  }
  return bytes;
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

/** Returns the first items whose JSON fits, at least one. */
export function firstFitting<T>(items: T[], maxBytes: number, sizeOf: (item: T) => number = jsonSize): T[] {
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    bytes += sizeOf(item) + 1;
    if (bytes > maxBytes) return items.slice(0, Math.max(index, 1));
  }
  return items;
}
