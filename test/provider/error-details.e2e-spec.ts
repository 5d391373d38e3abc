import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import {
  cut,
  errorEvent,
  PlayedProvider,
  raw,
  type Refusal,
  rst,
  stall,
  type Step,
} from '../support/provider/provider.js';
import { delta } from '../support/provider/stream-cases.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());
beforeEach(async () => {
  provider = await PlayedProvider.start();
  ada = await t.user().withConfig(provider).create();
});
afterEach(() => provider.stop());

async function send() {
  const { id } = await ada.createConversation({ title: 'Words' });
  return (await ada.send(id, 'Hi')).body.assistant_message;
}

const COMPLETE = { status: 'complete', content: 'Hello from the model.' };
const error = (code: unknown) => ({ error: { code, message: 'Not now' } });

/** Refuses only the first request. */
function refuseOnce(refusal: Refusal): void {
  let times = 0;
  provider.refuse = () => (times++ === 0 ? refusal : undefined);
}

describe('a temporary error is retried', () => {
  it.each<[string, Refusal]>([
    ['408', [408, 'Request Timeout']],
    ['409', [409, { error: 'The model is being loaded' }]],
    ['425', [425, '']],
    ['429', [429, '']],
    ['500', [500, '']],
    ['529', [529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }]],
    ['an empty 200', [200, '']],
    ['an empty 200 of type text/event-stream', [200, '', { 'Content-Type': 'text/event-stream' }]],
    ['429 in a body', [200, error(429)]],
    ['"503" in a body', [200, error('503')]],
    ['408 in a body', [200, error(408)]],
    ['500 as the first event', [200, `data: ${JSON.stringify(error(500))}\n\n`]],
    [
      'overloading as the first event',
      [200, 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'],
    ],
  ])('after %s', async (_, refusal) => {
    refuseOnce(refusal);

    expect(await send()).toMatchObject(COMPLETE);
    expect(provider.chats).toHaveLength(2);
  });

  it.each<[string, Step[]]>([
    ['closed after the first headers', []],
    ['closed after a comment', [raw(': processing\n\n')]],
    ['closed after a chunk without text', [raw(delta({ role: 'assistant', content: '' }))]],
    ['closed within the first event', [raw('data: {"choices":[{"del')]],
    ['reset after a chunk without text', [raw(delta({ role: 'assistant', content: '' })), rst()]],
  ])('after a connection %s', async (_, steps) => {
    provider.willStream(...steps, cut());

    expect(await send()).toMatchObject(COMPLETE);
    expect(provider.chats).toHaveLength(2);
  });

  it('up to three tries in total if the connection closes before the first text', async () => {
    for (let i = 0; i < 4; i++) provider.willStream(raw(': processing\n\n'), cut());

    expect(await send()).toMatchObject({ status: 'failed', error: { code: 'upstream_bad_response' } });
    expect(provider.chats).toHaveLength(3);
  });

  it('up to three tries in total, then reported', async () => {
    provider.refuse = () => [200, ''];

    expect(await send()).toMatchObject({
      status: 'failed',
      error: { code: 'upstream_bad_response', detail: 'The provider answered with nothing.' },
    });
    expect(provider.chats).toHaveLength(3);
  });
});

describe('an error in a body is classified by its code', () => {
  it.each<[unknown, string, number]>([
    [401, 'upstream_auth', 1],
    ['403', 'upstream_auth', 1],
    ['invalid_api_key', 'upstream_auth', 1],
    [429, 'upstream_rate_limited', 3],
    ['rate_limit_exceeded', 'upstream_rate_limited', 3],
    [502, 'upstream_error', 3],
    ['content_filter', 'content_filtered', 1],
    [null, 'upstream_error', 1],
  ])('%j as %s', async (code, expected, requests) => {
    provider.refuse = () => [200, error(code)];

    expect(await send()).toMatchObject({ error: { code: expected, detail: 'Not now' } });
    expect(provider.chats).toHaveLength(requests);
  });

  it('after text too, without a retry', async () => {
    provider.willStream('Hel', errorEvent({ code: 429, message: 'Slow down' }));

    expect(await send()).toMatchObject({
      content: 'Hel',
      error: { code: 'upstream_rate_limited', detail: 'Slow down' },
    });
    expect(provider.chats).toHaveLength(1);
  });
});

describe('an error’s detail', () => {
  it.each<[string, Refusal, string]>([
    [
      'an HTTP date',
      [429, 'Slow down', { 'Retry-After': new Date(Date.now() + 90_500).toUTCString() }],
      'Slow down. Try again in',
    ],
    [
      'seconds',
      [429, { error: { message: 'Slow down.' } }, { 'Retry-After': '60' }],
      'Slow down. Try again in 60 seconds.',
    ],
    [
      'two hours in seconds',
      [503, '', { 'Retry-After': '7200' }],
      'The provider answered with status 503. Try again in 7200 seconds (about 120 minutes).',
    ],
    [
      'retry-after-ms in milliseconds',
      [429, 'Slow down', { 'retry-after-ms': '30500' }],
      'Slow down. Try again in 31 seconds.',
    ],
  ])('contains the delay, given as %s', async (_, refusal, detail) => {
    provider.refuse = () => refusal;

    expect((await send()).error).toMatchObject({ detail: expect.stringContaining(detail) });
    expect(provider.chats).toHaveLength(1);
  });

  it('contains the delay after a long message too, within 500 characters', async () => {
    provider.refuse = () => [429, 'x'.repeat(3000), { 'Retry-After': '60' }];

    const { detail } = (await send()).error as { detail: string };

    expect(detail).toMatch(/^x+…\.? Try again in 60 seconds\.$/);
    expect(detail.length).toBeLessThanOrEqual(500);
  });

  it.each<[string, Refusal, string]>([
    [
      'FastAPI’s list',
      [404, { detail: [{ loc: ['body', 'model'], msg: 'unknown model' }] }],
      'model: unknown model',
    ],
    ['a JSON string', [404, '"Unauthorized"'], 'Unauthorized'],
    ['Google’s list', [404, [{ error: { message: 'No such model' } }]], 'No such model'],
    ['JSON without a message', [404, { a: [1, { b: true }] }], 'The provider answered with status 404.'],
    [
      'binary data',
      [404, Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0xff, 0xfe])],
      'The provider answered with status 404.',
    ],
    ['null', [404, 'null'], 'The provider answered with status 404.'],
    [
      'OpenRouter',
      [
        404,
        { error: { message: 'Provider returned error', metadata: { raw: '{"detail":"No such model"}' } } },
      ],
      'Provider returned error: No such model',
    ],
  ])('is the provider’s message, or the status without one: %s', async (_, refusal, detail) => {
    provider.refuse = () => refusal;

    expect((await send()).error).toMatchObject({ detail });
  });

  it('contains no part of the key in any encoding', async () => {
    const key = 'sk-0123456789abcdefghijklmnopqrstuvwxyz';
    const echo = Buffer.from(`Bearer ${key}`).toString('base64');
    const bob = await t.user().withConfig(provider, { api_key: key }).create();
    for (const length of [470, 480, 490, 3960, 3980]) {
      provider.refuse = () => [401, `${'x'.repeat(length)} ${echo} ${echo}`];
      const { id } = await bob.createConversation();
      const { detail } = (await bob.send(id, 'Hi')).body.assistant_message.error as { detail: string };
      for (let start = 10; start + 8 <= echo.length; start++)
        expect(detail).not.toContain(echo.slice(start, start + 8));
    }
  });
});

it('a reply that fails before its first text closes its connection', async () => {
  provider.willStream(errorEvent({ code: 500, message: 'Not now' }), stall());

  expect(await send()).toMatchObject(COMPLETE);
  await provider.chats[0]!.closed;
  expect(provider.chats[0]!.finished).toBe(false);
});
