import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';

/** The call in src that started an interval. */
const PLACE = /\/src\/[^\s)]+/;

const started = new Map<NodeJS.Timeout, string>();
let t: TestApp;

beforeAll(async () => {
  const { setInterval: start, clearInterval: clear } = globalThis;
  jest.spyOn(globalThis, 'setInterval').mockImplementation(((...args: Parameters<typeof start>) => {
    const timer = start(...args);
    const place = PLACE.exec(new Error().stack ?? '')?.[0];
    if (place) started.set(timer, place);
    return timer;
  }) as typeof start);
  jest.spyOn(globalThis, 'clearInterval').mockImplementation((timer) => {
    started.delete(timer as NodeJS.Timeout);
    clear(timer);
  });
  t = await startTestApp();
});
afterAll(() => void jest.restoreAllMocks());

it('a stopped app has cleared all its intervals', async () => {
  const ada = await t.user().withConfig(t.provider).create();
  const { id } = await ada.createConversation();
  await ada.sse(`/conversations/${id}/events`);
  await ada.socket().emit('conversation.open', { conversation_id: id });
  await ada.ws(id).opened;
  await ada.send(id, 'Hi');
  expect(started.size).toBeGreaterThan(5);
  await t.stop();

  expect([...started.values()]).toEqual([]);
});
