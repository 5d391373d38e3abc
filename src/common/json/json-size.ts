import { isHighSurrogate, isLowSurrogate } from '../text/utf16.js';

/** What a frame or an acknowledgement has around a page. */
const ENVELOPE_BYTES = 1024;
/** The most JSON that the items of one page take, unless there is but one. */
export const MAX_PAGE_BYTES = 16 * 1024 * 1024 - ENVELOPE_BYTES;

/** Bytes of each ASCII character in JSON: controls are `\u0001`, but for the five that have a short escape. */
const ASCII_BYTES = Uint8Array.from(
  { length: 128 },
  (_, unit) => JSON.stringify(String.fromCharCode(unit)).length - 2,
);

/** Bytes that JSON.stringify makes of DTOs and their parts, in UTF-8, without making them. */
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

/** The first items whose JSON fits, and one at least. */
export function firstFitting<T>(items: T[], maxBytes: number, sizeOf: (item: T) => number = jsonSize): T[] {
  let bytes = 0;
  const end = items.findIndex((item) => (bytes += sizeOf(item) + 1) > maxBytes);
  return end === -1 ? items : items.slice(0, Math.max(end, 1));
}
