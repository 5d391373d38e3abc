/** RETENTION_DAYS. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { ConversationRetention } from '../../src/conversations/conversation-retention.service.js';
import { ConversationsService } from '../../src/conversations/conversations.service.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';
import { until } from '../support/infrastructure/until.js';

let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  t = await startTestApp({ env: { RETENTION_DAYS: '30' } });
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(() => t?.stop());

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

async function conversationOf(days: number, changes: object = {}): Promise<number> {
  const { id } = await ada.createConversation();
  await ada.send(id, 'A needle in the hay');
  await ada.post(`/conversations/${id}/update`, changes);
  await t.manager.update(Conversation, { id }, { updatedAt: daysAgo(days) });
  return id;
}

const statusOf = async (id: number) => (await ada.get(`/conversations/${id}`)).status;

it('deletes conversations whose last message is older, and publishes it', async () => {
  const old = await conversationOf(31);
  const pinned = await conversationOf(31, { pinned: true });
  const archived = await conversationOf(31, { archived: true });
  const kept = await conversationOf(29);

  const events = await t.eventsDuring(ada.id, () => t.app.get(ConversationRetention).run());

  expect(await Promise.all([old, pinned, archived, kept].map(statusOf))).toEqual([404, 404, 404, 200]);
  // A title may arrive meanwhile.
  const deletions = events.filter(({ type }) => type === 'conversation.deleted');
  expect(deletions.map(({ conversationId }) => conversationId)).toEqual([old, pinned, archived]);
  const { body: list } = await ada.get('/conversations');
  expect(list.total).toBe(1);
  const { body: found } = await ada.get<{ results: Thing[] }>('/conversations/search?q=needle');
  expect(found.results.map(({ conversation }) => (conversation as Thing).id)).toEqual([kept]);
});

it('deletes them at each start, too: some nodes are restarted more often than every hour', async () => {
  const id = await conversationOf(31);

  await t.restart();

  await until(async () => (await statusOf(id)) === 404);
});

it('keeps a conversation that gets a message meanwhile', async () => {
  const id = await conversationOf(31);
  const before = daysAgo(30);
  await ada.send(id, 'Not yet');

  await expect(t.app.get(ConversationsService).delete(ada.id, id, before)).rejects.toThrow('no such');

  expect(await ada.history(id)).toHaveLength(4);
});
