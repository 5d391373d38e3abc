import { createHmac, timingSafeEqual } from 'node:crypto';

/** Where a page of conversations ended: the last one's place in the list. */
export interface ListPosition {
  pinned: boolean;
  /** Milliseconds since the epoch. */
  updatedAt: number;
  id: number;
}

/** What a cursor belongs to: another user, or another list of theirs, cannot use it. */
export type ListScope = readonly (string | number | boolean)[];

const MAC_BYTES = 12;
const PATTERN = /^([01])\.(\d{1,16})\.(\d{1,16})$/;

/** @param key of all nodes on a database */
export function encodeCursor({ pinned, updatedAt, id }: ListPosition, scope: ListScope, key: string): string {
  const position = `${Number(pinned)}.${updatedAt}.${id}`;
  return Buffer.concat([macOf(position, scope, key), Buffer.from(position)]).toString('base64url');
}

/** @returns null for what this has not made for the scope */
export function decodeCursor(cursor: string, scope: ListScope, key: string): ListPosition | null {
  const bytes = Buffer.from(cursor, 'base64url');
  const position = bytes.subarray(MAC_BYTES).toString();
  const match = PATTERN.exec(position);
  if (!match || bytes.toString('base64url') !== cursor) return null;
  if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), macOf(position, scope, key))) return null;
  return { pinned: match[1] === '1', updatedAt: Number(match[2]), id: Number(match[3]) };
}

function macOf(position: string, scope: ListScope, key: string): Buffer {
  const text = JSON.stringify([position, ...scope]);
  return createHmac('sha256', key).update(text).digest().subarray(0, MAC_BYTES);
}
