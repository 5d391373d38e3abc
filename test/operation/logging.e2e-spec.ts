import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { DataSource, QueryFailedError } from 'typeorm';
import { SLOW_BODY } from '../../src/common/http/server/slow-body.js';
import { Draining } from '../../src/common/lifecycle/draining.js';
import { ConversationList } from '../../src/conversations/conversation-list.service.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { stall } from '../support/provider/provider.js';
import { LogLines } from '../support/app/log-lines.js';
import type { Answer } from '../support/clients/http.js';
import { sendRaw } from '../support/clients/raw.js';
import type { TestUser } from '../support/app/user.js';

const log = new LogLines();
let t: TestApp;
beforeAll(async () => {
  t = await startTestApp({ log });
});
afterAll(() => t?.stop());

describe('a request', () => {
  it('is logged once with user, route, status and duration', async () => {
    const ada = await t.user().create();
    const { id } = await ada.createConversation();
    const { headers } = await ada.get(`/conversations/${id}?limit=5`);

    const line = await log.ofRequest(headers.get('X-Request-Id'));
    expect(line).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      msg: 'request',
      request_id: headers.get('X-Request-Id'),
      method: 'GET',
      route: '/conversations/:id',
      handler: expect.stringMatching(/^\w+Controller\.\w+$/),
      status: 200,
      duration_ms: expect.any(Number),
      address: '127.0.0.1',
      user_id: ada.id,
      session_id: expect.any(Number),
    });
  });

  type Kind = [kind: string, expected: object, request: (ada: TestUser) => Promise<string | null>];
  const idOf = ({ headers }: { headers: Headers }) => headers.get('X-Request-Id');
  const withHandler = (status: number) => ({
    status,
    handler: expect.stringMatching(/^\w+Controller\.\w+$/),
  });
  const withoutHandler = (status: number) => ({ status });
  const kinds: Kind[] = [
    ['a success', withHandler(200), async (ada) => idOf(await ada.get('/auth/me'))],
    [
      'a refusal by the validation pipe',
      withHandler(422),
      async () => idOf(await t.http.post('/auth/login', {})),
    ],
    ['an error of a service', withHandler(404), async (ada) => idOf(await ada.get('/conversations/999999'))],
    [
      'an event stream',
      withHandler(200),
      async (ada) => {
        const stream = await ada.sse(`/conversations/${(await ada.createConversation()).id}/chat`, {
          content: 'Hi',
        });
        await stream.until(({ type }) => type === 'message.completed');
        return idOf(stream.response);
      },
    ],
    [
      'an event stream whose client disconnects',
      { ...withHandler(200), aborted: true },
      async (ada) => {
        t.provider.willStream('Hel', stall());
        const stream = await ada.sse(`/conversations/${(await ada.createConversation()).id}/chat`, {
          content: 'Hi',
        });
        await stream.until(({ type }) => type === 'message.delta');
        await stream.close();
        return idOf(stream.response);
      },
    ],
    [
      'an upload that takes too long',
      withHandler(408),
      async (ada) => {
        const { idleMs } = SLOW_BODY;
        SLOW_BODY.idleMs = 100;
        const headers = [
          'POST /files HTTP/1.1',
          'Host: a',
          `Authorization: Bearer ${ada.tokens.access_token}`,
          'Content-Type: multipart/form-data; boundary=x',
          'Content-Length: 1024',
        ];
        const response = await sendRaw(t.url, `${headers.join('\r\n')}\r\n\r\n--x\r\n`);
        SLOW_BODY.idleMs = idleMs;
        return /^X-Request-Id: (\S+)/im.exec(response)![1]!;
      },
    ],
    ['a refusal by a guard', withoutHandler(401), async () => idOf(await t.http.get('/auth/me'))],
    ['a malformed body', withoutHandler(400), async () => idOf(await t.http.post('/auth/login', '{'))],
    ['an unknown route', withoutHandler(404), async () => idOf(await t.http.get('/nowhere'))],
    ['an unknown method', withoutHandler(405), async () => idOf(await t.http.get('/auth/login'))],
    ['a file of the playground', withoutHandler(200), async () => idOf(await t.http.get('/'))],
  ];

  it.each(kinds)('is one line, with its handler if it reached one: %s', async (_kind, expected, request) => {
    const ada = await t.user().withConfig(t.provider).create();
    const id = await request(ada);
    const line = await log.ofRequest(id);
    expect(line).toMatchObject({ duration_ms: expect.any(Number), ...expected });
    expect('handler' in line).toBe('handler' in expected);
    // A second line of the request would precede the next request's line.
    await log.ofRequest(idOf(await t.http.get('/nowhere')));
    expect(log.filter((each) => each.request_id === id && each.msg === 'request')).toHaveLength(1);
  });

  it.each<[string, string, Record<string, string>]>([
    ['its path', '/nowhere/PLANTED', {}],
    ['its query', '/auth/me?token=PLANTED', {}],
    ['its User-Agent', '/auth/me', { 'User-Agent': 'PLANTED' }],
    ['its token', '/auth/me', { Authorization: 'Bearer PLANTED' }],
    ['its id, where that is none', '/auth/me', { 'X-Request-Id': 'a b\tPLANTED' }],
    ['its id, where that is too long', '/auth/me', { 'X-Request-Id': 'PLANTED'.padEnd(65, 'x') }],
  ])('does not write client text to the log: %s', async (_, path, headers) => {
    const planted = randomUUID();
    const put = (text: string) => text.replace('PLANTED', planted);
    const own = Object.entries(headers).map(([name, value]) => [name, put(value)] as const);
    const answer = await t.http.get(put(path), Object.fromEntries(own));

    expect(await log.ofRequest(answer.headers.get('X-Request-Id'))).toMatchObject({ status: answer.status });
    expect(log.text).not.toContain(planted);
  });

  it('does not write control characters to the log', async () => {
    const planted = randomUUID();
    const head = `GET /auth/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: a\u0001${planted}`;

    expect(await sendRaw(t.url, `${head}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(log.text).not.toContain(planted);
  });

  it('is logged as an error for a 500', async () => {
    const ada = await t.user().create();
    const fault = new Error('Nobody expected this');
    const list = jest.spyOn(t.app.get(ConversationList), 'list').mockRejectedValueOnce(fault);
    const { status, headers } = await ada.get('/conversations');
    list.mockRestore();

    expect(status).toBe(500);
    const line = await log.ofRequest(headers.get('X-Request-Id'));
    expect(line).toMatchObject({ level: 'error', status: 500 });
  });

  it('is logged as a warning for an upstream error or a shutdown', async () => {
    t.app.get(Draining).begin();
    const { status, headers } = await t.http.get('/health/ready');
    expect(status).toBe(503);
    expect((await log.ofRequest(headers.get('X-Request-Id'))).level).toBe('warn');
    await t.restart();

    const ada = await t.user().withConfig(t.provider).create();
    t.provider.willAnswer(401, {});
    const failed = await ada.send((await ada.createConversation()).id, 'Hi');
    expect(failed.status).toBe(502);
    expect((await log.ofRequest(failed.headers.get('X-Request-Id'))).level).toBe('warn');
  });
});

describe('the log', () => {
  it('contains no password, key, token or user text', async () => {
    const apiKey = `sk-${randomUUID()}`;
    const words = randomUUID();
    t.provider.willStream(words);
    const ada = await t.user().withConfig(t.provider, { api_key: apiKey }).create();
    const { id } = await ada.createConversation({ system_prompt: words });
    const answers: Answer<unknown>[] = [
      await ada.send(id, words),
      await ada.post('/auth/refresh', { refresh_token: ada.tokens.refresh_token }),
      await ada.post('/auth/login', { email: ada.email, password: `${ada.password}!` }),
    ];
    await ada.socket().chat(id, words);
    answers.push(await ada.post('/auth/logout'));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 401, 204]);
    for (const { headers } of answers) await log.ofRequest(headers.get('X-Request-Id'));
    const { access_token, refresh_token } = ada.tokens;
    for (const secret of [ada.password, access_token, refresh_token, apiKey, words, ada.email]) {
      expect(log.text).not.toContain(secret);
    }
  });

  it('contains an error’s message and stack, but no statement parameters', async () => {
    const planted = randomUUID();
    const error = await t.app
      .get(DataSource)
      .query('SELECT * FROM nowhere WHERE id = ?', [planted])
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(QueryFailedError);
    new Logger('Test').error(error);
    new Logger('Test').error({ error, round: 1 }, 'It failed');

    const line = await log.until(({ msg }) => msg === 'It failed');
    expect(line).toMatchObject({
      level: 'error',
      context: 'Test',
      round: 1,
      error: { name: 'QueryFailedError' },
    });
    expect((line.error as { stack: string }).stack).toContain('logging.e2e-spec');
    expect(log.text).not.toContain(planted);
  });

  it('accepts calls in Nest’s logger signature', async () => {
    const logger = new Logger('Test');
    logger.warn('plain', { extra: 1 });
    logger.error('with a stack', new Error('x').stack);

    expect(await log.until(({ msg }) => msg === 'plain')).toMatchObject({
      level: 'warn',
      context: 'Test',
      extra: 1,
    });
    expect(await log.until(({ msg }) => msg === 'with a stack')).toMatchObject({
      level: 'error',
      context: 'Test',
      stack: expect.stringContaining('Error: x'),
    });
  });
});
