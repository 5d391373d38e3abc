import type { Conversation } from './conversation.entity.js';

/** Position of a client in a list of conversations. Times are milliseconds since the epoch. */
export interface ListPosition {
  /** Sort key of the last conversation: pinned, newest activity, id. */
  pinned: boolean;
  updatedAt: number;
  id: number;
  /** Pages so far contain all activity up to this time. */
  settledAt: number;
  /** Listed conversations that could be listed again: pinned, or active after `settledAt`. Null if unknown. */
  listedIds: number[] | null;
}

/** Activity can be committed this long after its time, by another node whose clock may differ. */
const SETTLED_AFTER_MS = 2000;
/** Conversations that move after more ids may be repeated or left out. */
export const MAX_LISTED_IDS = 200;

/** @param isComplete whether the first page starts at the top of the list, not at an offset */
export function startOfList(isComplete: boolean): ListPosition {
  return { pinned: true, updatedAt: 0, id: 0, settledAt: 0, listedIds: isComplete ? [] : null };
}

/** The settledAt of a page that is read from now on. */
export const settledNow = () => Date.now() - SETTLED_AFTER_MS;

/**
 * @param moved conversations that moved up since `before`, listed first
 * @param page the conversations of the page; if it has fewer than `moved`, the next page reads the others again
 */
export function positionAfter(
  before: ListPosition,
  settledAt: number,
  moved: Conversation[],
  page: Conversation[],
): ListPosition {
  const last = page.slice(moved.length).at(-1);
  const isCut = page.length < moved.length;
  const since = isCut ? before.settledAt : settledAt;
  const listed = page.filter(({ pinned, updatedAt }) => pinned || updatedAt.getTime() > since);
  return {
    ...before,
    ...(last && { pinned: last.pinned, updatedAt: last.updatedAt.getTime(), id: last.id }),
    settledAt: since,
    listedIds:
      before.listedIds && [...before.listedIds, ...listed.map(({ id }) => id)].slice(0, MAX_LISTED_IDS),
  };
}

/** Whether a conversation with this activity comes after a position, among those equally pinned. */
export function isBelow(position: ListPosition, activity: Date, { id }: Conversation): boolean {
  const time = activity.getTime();
  return time < position.updatedAt || (time === position.updatedAt && id < position.id);
}
