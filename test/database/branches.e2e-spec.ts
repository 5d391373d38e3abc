import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Logger } from 'typeorm';
import { Branches } from '../../src/chat/turns/branches.js';
import type { Conversation } from '../../src/conversations/conversation.entity.js';
import type { Message } from '../../src/conversations/messages/message.entity.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';

let database: ChatDatabase;
let userId: number;

beforeAll(async () => {
  database = await ChatDatabase.create();
  ({ id: userId } = await database.createUser());
});
afterAll(() => database.drop());

/**
 * Adds inactive messages.
 * @param parents index of each message's parent, or null for a root
 */
async function createTree(parents: (number | null)[]): Promise<[Conversation, Message[]]> {
  const conversation = await database.createConversation(userId);
  const messages: Message[] = [];
  for (const parent of parents) {
    const parentId = parent === null ? null : messages[parent]!.id;
    messages.push(await database.addMessage(conversation, { parentId, active: false }));
  }
  return [conversation, messages];
}

const branchesOf = ({ id }: Conversation, page?: number) =>
  new Branches(database.dataSource.manager, id, page);

/** @returns indices of the active messages */
async function activeIn(conversation: Conversation): Promise<number[]> {
  const messages = await database.messagesOf(conversation);
  return messages.flatMap(({ active }, index) => (active ? [index] : []));
}

//      0
//    /   \
//   1     2
//   |    / \
//   5   3   4
//       |
//       6
const PARENTS = [null, 0, 0, 2, 2, 1, 3];

describe.each([1, 2, 1000])('Branches that read %i rows at a time', (page) => {
  it.each<[target: number | null, active: number[]]>([
    [6, [0, 2, 3, 6]],
    [4, [0, 2, 4]],
    [1, [0, 1]],
    [null, []],
  ])('end the active branch at %s', async (target, active) => {
    const [conversation, messages] = await createTree(PARENTS);
    const branches = branchesOf(conversation, page);
    await branches.endAt(messages[5]!.id);
    expect(await activeIn(conversation)).toEqual([0, 1, 5]);

    await branches.endAt(target === null ? null : messages[target]!.id);

    expect(await activeIn(conversation)).toEqual(active);
  });

  it.each([
    [0, 6],
    [1, 5],
    [2, 6],
    [4, 4],
  ])('find the newest message below %i', async (index, newest) => {
    const [conversation, messages] = await createTree(PARENTS);

    expect(await branchesOf(conversation, page).newestBelow(messages[index]!.id)).toBe(messages[newest]!.id);
  });
});

it('Branches leave other conversations unchanged', async () => {
  const [other, [first, second]] = await createTree([null, 0]);
  await branchesOf(other).endAt(second!.id);
  const [conversation, messages] = await createTree(PARENTS);
  await branchesOf(conversation).endAt(messages[6]!.id);
  await branchesOf(conversation).endAt(null);

  expect(await activeIn(other)).toEqual([0, 1]);
  expect(await branchesOf(other).newestBelow(first!.id)).toBe(second!.id);
});

it('Branches activate at most a page of messages per statement', async () => {
  const { dataSource } = database;
  const [conversation, messages] = await createTree([null, 0, 1, 2, 3]);
  const sizes: number[] = [];
  const { logger } = dataSource;
  dataSource.logger = Object.assign(Object.create(logger) as Logger, {
    logQuery: (sql: string) => {
      const [, ids] = /^UPDATE .* IN \(([^)]*)\)/.exec(sql) ?? [];
      if (ids) sizes.push(ids.split(',').length);
    },
  });
  await branchesOf(conversation, 2).endAt(messages[4]!.id);
  dataSource.logger = logger;

  expect(sizes).toEqual([2, 2, 1]);
});

const tree = fc
  .array(fc.nat(), { minLength: 1, maxLength: 12 })
  .map((picks) => picks.map((pick, index) => (pick % (index + 1) === index ? null : pick % (index + 1))));

it('Branches switch between any messages of any tree', async () => {
  const run = async (parents: (number | null)[], targets: number[], page: number) => {
    const [conversation, messages] = await createTree(parents);
    for (const pick of targets) {
      const target = pick % parents.length;
      await branchesOf(conversation, page).endAt(messages[target]!.id);
      const path: number[] = [];
      for (let at: number | null = target; at !== null; at = parents[at]!) path.unshift(at);
      expect(await activeIn(conversation)).toEqual(path);
    }
  };
  const targets = fc.array(fc.nat(), { minLength: 1, maxLength: 4 });
  await fc.assert(fc.asyncProperty(tree, targets, fc.integer({ min: 1, max: 4 }), run), { numRuns: 20 });
});
