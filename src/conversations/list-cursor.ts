import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ListPosition } from './list-position.js';

/** Identifies a user's list. A cursor is valid only for the list that it was made for. */
export type ListScope = readonly (string | number | boolean)[];

const MAC_BYTES = 12;

/** @param key shared by all nodes of a database */
export function encodeCursor(position: ListPosition, scope: ListScope, key: string): string {
  const { pinned, updatedAt, id, settledAt, listedIds } = position;
  const listed = listedIds ? [listedIds.length, ...listedIds] : [];
  const numbers = [Number(pinned), updatedAt, id, settledAt, ...listed];
  const text = numbers.map((number) => number.toString(36)).join('.');
  return Buffer.concat([macOf(text, scope, key), Buffer.from(text)]).toString('base64url');
}

/** @returns null unless encodeCursor made the cursor for this scope */
export function decodeCursor(cursor: string, scope: ListScope, key: string): ListPosition | null {
  const bytes = Buffer.from(cursor, 'base64url');
  const text = bytes.subarray(MAC_BYTES).toString();
  const mac = bytes.subarray(0, MAC_BYTES);
  if (mac.length < MAC_BYTES || bytes.toString('base64url') !== cursor) return null;
  if (!timingSafeEqual(mac, macOf(text, scope, key))) return null;
  const [pinned, updatedAt, id, settledAt, count, ...listedIds] = text
    .split('.')
    .map((number) => parseInt(number, 36));
  return {
    pinned: pinned === 1,
    updatedAt: updatedAt!,
    id: id!,
    settledAt: settledAt!,
    listedIds: count === undefined ? null : listedIds,
  };
}

function macOf(text: string, scope: ListScope, key: string): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([text, ...scope]))
    .digest()
    .subarray(0, MAC_BYTES);
}
