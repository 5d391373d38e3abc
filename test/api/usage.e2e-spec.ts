import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import {
  cut,
  errorEvent,
  finish,
  gate,
  noDone,
  reasoning,
  usage,
  type Script,
} from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

/** 9 tokens of o200k_base: one a word. */
const NINE_WORDS = 'the quick brown fox jumps over the lazy dog';

interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  estimated: boolean;
}

let t: TestApp;
let ada: TestUser;
let id: number;

beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(() => t.stop());
beforeEach(async () => ({ id } = await ada.createConversation({ title: 'Counted' })));

/** What is stored of the newest reply. */
async function stored(): Promise<{ status: unknown; usage: Usage }> {
  const { status, usage } = (await ada.history(id)).at(-1)!;
  return { status, usage: usage as Usage };
}

it('usage is the provider’s count, also for a failed reply', async () => {
  const numbers = { prompt_tokens: 5, completion_tokens: 6, total_tokens: 12 };
  t.provider.willStream('Hi', usage(numbers), errorEvent({ message: 'Too bad' }), noDone());

  await ada.send(id, 'Hello');

  expect(await stored()).toEqual({ status: 'failed', usage: { ...numbers, estimated: false } });
});

it.each<[what: string, status: string, script: Script]>([
  ['ends well and counts nothing', 'complete', [NINE_WORDS, finish('stop'), noDone()]],
  ['breaks off', 'failed', [NINE_WORDS, cut()]],
  ['fails', 'failed', [NINE_WORDS, errorEvent({ message: 'Too bad' }), noDone()]],
  ['only thinks', 'failed', [reasoning(NINE_WORDS), finish('stop'), noDone()]],
])('usage is estimated when the provider %s', async (_, status, script) => {
  t.provider.willStream(...script);

  await ada.send(id, NINE_WORDS);

  // A message costs some tokens beside its text.
  const { prompt_tokens } = (await stored()).usage;
  expect(prompt_tokens).toBeGreaterThanOrEqual(9);
  expect(prompt_tokens).toBeLessThan(20);
  const total_tokens = prompt_tokens + 9;
  const estimate = { prompt_tokens, completion_tokens: 9, total_tokens, estimated: true };
  expect(await stored()).toEqual({ status, usage: estimate });
});

it('usage is estimated for a stopped reply from its text so far', async () => {
  t.provider.willStream(NINE_WORDS, gate());
  const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
  await sse.until(({ type }) => type === 'message.delta');

  const { body } = await ada.post(`/conversations/${id}/stop`);

  expect(await stored()).toMatchObject({
    status: 'stopped',
    usage: { completion_tokens: 9, estimated: true },
  });
  expect(body.usage).toEqual((await stored()).usage);
});

it('usage is estimated for long text within 1 % of its word count', async () => {
  const words = (count: number) => Array(count).fill('the').join(' ');
  t.provider.willStream(words(50_000), finish('stop'), noDone());

  await ada.send(id, words(25_000));

  const { usage: estimate } = await stored();
  expect(estimate.estimated).toBe(true);
  expect(Math.abs(estimate.completion_tokens - 50_000)).toBeLessThan(500);
  expect(Math.abs(estimate.prompt_tokens - 25_000)).toBeLessThan(250);
});

it('usage counts only the prompt when no text arrived', async () => {
  t.provider.willAnswer(401, { error: { message: 'No such key' } });

  await ada.send(id, NINE_WORDS);

  expect(await stored()).toMatchObject({
    status: 'failed',
    usage: { completion_tokens: 0, estimated: true },
  });
});

it('usage counts the whole prompt: system prompt and active branch', async () => {
  const long = await ada.createConversation({ title: 'Counted', system_prompt: NINE_WORDS });
  ({ id } = long);
  for (const _ of [1, 2]) {
    t.provider.willStream(NINE_WORDS, finish('stop'), noDone());
    await ada.send(id, NINE_WORDS);
  }

  const { prompt_tokens } = (await stored()).usage;
  expect(prompt_tokens).toBeGreaterThanOrEqual(4 * 9);
  expect(prompt_tokens).toBeLessThan(4 * 15);
});

it('usage is estimated when the provider rejects stream_options', async () => {
  const before = t.provider.chats.length;
  const bob = await t.user().withConfig(t.provider, { model_name: 'strict' }).create();
  ({ id } = await bob.createConversation({ title: 'Strict' }));
  const strict = { error: { message: "Unrecognized request argument: 'stream_options'" } };
  t.provider.willAnswer(400, strict).willStream(NINE_WORDS, finish('stop'));
  t.provider.willStream('Again', finish('stop'));

  const first = await bob.send(id, 'Hi');
  const second = await bob.send(id, 'And again?');

  for (const [{ status, body }, content] of [
    [first, NINE_WORDS],
    [second, 'Again'],
  ] as const) {
    expect(status).toBe(200);
    expect(body.assistant_message).toMatchObject({ content, status: 'complete', usage: { estimated: true } });
  }
  const asked = t.provider.chats.slice(before).map(({ body }) => 'stream_options' in body);
  expect(asked).toEqual([true, false, false]);
});
