import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Conversation } from './conversation.entity.js';
import { isBelow, type ListPosition, positionAfter, settledNow, startOfList } from './list-position.js';

const conversation = (id: number, updatedAt: number, pinned = false) =>
  ({ id, pinned, updatedAt: new Date(updatedAt) }) as Conversation;

const position = (more: Partial<ListPosition> = {}): ListPosition => ({
  ...{ pinned: false, updatedAt: 500, id: 5, settledAt: 900, listedIds: [1] },
  ...more,
});

afterEach(() => {
  jest.useRealTimers();
});

it('activity is settled after two seconds', () => {
  jest.useFakeTimers({ now: 10_000 });

  expect(settledNow()).toBe(8000);
});

it('a list that starts at an offset knows no listed conversations', () => {
  expect(startOfList(true).listedIds).toEqual([]);
  expect(startOfList(false)).toEqual({ ...startOfList(true), listedIds: null });
});

describe('the position after a page', () => {
  it('is its last conversation, with those that could be listed again', () => {
    const page = [
      conversation(9, 100, true),
      conversation(8, 1001),
      conversation(7, 1000),
      conversation(6, 999),
    ];

    expect(positionAfter(position(), 1000, [], page)).toEqual({
      ...{ pinned: false, updatedAt: 999, id: 6 },
      settledAt: 1000,
      listedIds: [1, 9, 8],
    });
  });

  it('does not move by conversations that moved up, nor by an empty page', () => {
    const moved = [conversation(9, 1001), conversation(8, 950)];

    expect(positionAfter(position(), 1000, moved, moved)).toEqual(
      position({ settledAt: 1000, listedIds: [1, 9] }),
    );
    expect(positionAfter(position(), 1000, [], [])).toEqual(position({ settledAt: 1000 }));
  });

  it('reads the moved conversations that did not fit again', () => {
    const moved = [conversation(9, 1001), conversation(8, 950)];

    expect(positionAfter(position(), 1000, moved, moved.slice(0, 1))).toEqual(
      position({ listedIds: [1, 9] }),
    );
    expect(positionAfter(position(), 1000, moved, [moved[1]!])).toEqual(position({ listedIds: [1, 8] }));
  });

  it('knows at most 200 listed conversations, and none after an offset', () => {
    const pinned = Array.from({ length: 300 }, (_, n) => conversation(n, 1, true));

    expect(positionAfter(position(), 1000, [], pinned).listedIds).toEqual([
      1,
      ...Array.from({ length: 199 }, (_, n) => n),
    ]);
    expect(positionAfter(position({ listedIds: null }), 1000, [], pinned).listedIds).toBeNull();
  });
});

it.each([
  [499, 9, true],
  [500, 4, true],
  [500, 5, false],
  [500, 6, false],
  [501, 1, false],
])('a conversation with activity at %i and id %i is below the position: %s', (time, id, expected) => {
  expect(isBelow(position(), new Date(time), conversation(id, 0))).toBe(expected);
});
