import { createHmac, timingSafeEqual } from 'node:crypto';

/** How far a client has come in a list of conversations. */
export interface ListPosition {
  /** The place of the last one: pinned or not, its activity in milliseconds since the epoch, and its id. */
  pinned: boolean;
  updatedAt: number;
  id: number;
  /** When all earlier activity was in the list, by which is told what has moved up since. */
  since: number;
  /** Ids that are never listed again: the client has got them, pinned or newly active; null where they are unknown. */
  got: number[] | null;
}

/** What a cursor belongs to: another user, or another list of theirs, cannot use it. */
export type ListScope = readonly (string | number | boolean)[];

const MAC_BYTES = 12;

/** @param key of all nodes on a database */
export function encodeCursor(position: ListPosition, scope: ListScope, key: string): string {
  const { pinned, updatedAt, id, since, got } = position;
  const numbers = [Number(pinned), updatedAt, id, since, ...(got ? [got.length, ...got] : [])];
  const text = numbers.map((each) => each.toString(36)).join('.');
  return Buffer.concat([macOf(text, scope, key), Buffer.from(text)]).toString('base64url');
}

/** @returns null for what this has not made for the scope */
export function decodeCursor(cursor: string, scope: ListScope, key: string): ListPosition | null {
  const bytes = Buffer.from(cursor, 'base64url');
  const text = bytes.subarray(MAC_BYTES).toString();
  const mac = bytes.subarray(0, MAC_BYTES);
  if (mac.length < MAC_BYTES || bytes.toString('base64url') !== cursor) return null;
  if (!timingSafeEqual(mac, macOf(text, scope, key))) return null;
  const [pinned, updatedAt, id, since, count, ...got] = text.split('.').map((each) => parseInt(each, 36));
  return {
    pinned: pinned === 1,
    updatedAt: updatedAt!,
    id: id!,
    since: since!,
    got: count === undefined ? null : got,
  };
}

function macOf(text: string, scope: ListScope, key: string): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([text, ...scope]))
    .digest()
    .subarray(0, MAC_BYTES);
}
