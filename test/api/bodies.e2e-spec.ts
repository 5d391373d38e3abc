import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { sendRaw } from '../support/clients/raw.js';

const JSON_TYPE = { 'Content-Type': 'application/json' };

const UNREADABLE = {
  code: 'bad_request',
  detail: 'The request could not be read; is the body well-formed JSON in UTF-8?',
};
const NOT_JSON = {
  code: 'unsupported_media_type',
  detail: 'The body must be application/json in UTF-8.',
};

let t: TestApp;
beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t?.stop());

const register = (body: string | Uint8Array, headers: Record<string, string> = JSON_TYPE) =>
  t.http.post('/auth/register', body, headers);

describe('request bodies', () => {
  it.each(['{', '{"a":}', "{'a':1}", '{"a":1}x', 'undefined', ' '])(
    'that are not JSON are 400: %j',
    async (body) => {
      expect(await register(body)).toMatchObject({ status: 400, body: UNREADABLE });
    },
  );

  it.each(['null', '[]', '[{"username":"x"}]', '1', '"text"', 'true'])(
    'that are not an object are 422: %j',
    async (body) => {
      expect(await register(body)).toMatchObject({
        status: 422,
        body: { code: 'validation_failed', errors: [{ field: 'body', message: 'Must be a JSON object.' }] },
      });
    },
  );

  it.each([
    ['/conversations/create', { config_id: '1' }],
    ['/conversations/create', { params: { seed: '1' } }],
    ['/auth/config/create', { model_url: 'http://127.0.0.1/v1', model_name: 'm', context_tokens: '4096' }],
  ])('to %s with a number as text are told that it must be an integer: %j', async (path, body) => {
    const ada = await t.user().create();

    expect(await ada.post(path, body)).toMatchObject({
      status: 422,
      body: { errors: [{ message: expect.stringMatching(/ must be an integer number$/) }] },
    });
  });

  /** RFC 9110 section 9.3.1. The next request over the connection shows that it was read past, too. */
  it('are ignored by GET', async () => {
    const head = 'Host: localhost\r\nContent-Type: text/plain\r\n';
    const ask = `GET /health/live HTTP/1.1\r\n${head}Content-Length: 2\r\n\r\n{"`;
    const last = `GET /health/ready HTTP/1.1\r\n${head}Connection: close\r\n\r\n`;

    const answers = await sendRaw(t.url, ask + last);

    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  });

  it('are treated as empty when absent', async () => {
    const { status, body } = await t.http.post('/auth/register');

    expect(status).toBe(422);
    expect((body.errors as { field: string }[]).map(({ field }) => field)).toEqual([
      'username',
      'email',
      'password',
    ]);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json; charset=utf-16',
    'application/json; charset=latin1',
    '',
  ])('of type %j are 415', async (type) => {
    expect(await register('{}', { 'Content-Type': type })).toMatchObject({
      status: 415,
      body: NOT_JSON,
    });
  });

  it.each(['application/json', 'Application/JSON; charset=UTF-8', 'application/json;charset="utf-8"'])(
    'of type %j are read',
    async (type) => {
      expect(await register('{}', { 'Content-Type': type })).toMatchObject({ status: 422 });
    },
  );

  it('that are compressed are 415, however small', async () => {
    const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };

    expect(await register(gzipSync('{}'), headers)).toMatchObject({ status: 415, body: NOT_JSON });
  });

  it('that are too large are 413', async () => {
    const body = JSON.stringify({ username: 'x'.repeat(2 * 1024 * 1024) });

    expect(await register(body)).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
  });

  it('may hold the longest message with every character escaped', async () => {
    const body = `{"content":"${'\\ud83d\\ude00'.repeat(100_000)}"}`;

    expect(await register(body)).toMatchObject({ status: 422 });
  });

  it('that are not UTF-8 are 400', async () => {
    expect(await register(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toMatchObject({
      status: 400,
      body: UNREADABLE,
    });
  });

  it('that are nested too deeply are 422', async () => {
    const depth = 100_000;
    const refused = (field: string) => ({
      status: 422,
      body: { errors: [{ field, message: 'Must not be nested this deep.' }] },
    });

    expect(await register(`{"username":${'['.repeat(depth)}${']'.repeat(depth)}}`)).toMatchObject(
      refused(['username', ...Array<number>(32).fill(0)].join('.')),
    );
    expect(await register(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)).toMatchObject(
      refused(Array<string>(33).fill('a').join('.')),
    );
  });

  it.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString'])(
    'with the inherited property name %s are 422 naming it',
    async (field) => {
      const { status, body } = await register(`{"${field}": {"polluted": true}}`);

      expect(status).toBe(422);
      expect(body.errors).toContainEqual({ field, message: 'Must not exist.' });
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    },
  );

  it('with thousands of unknown fields are 422', async () => {
    const body = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`f${index}`, index]));

    expect(await t.http.post('/auth/register', body)).toMatchObject({
      status: 422,
      body: { errors: [{ field: 'body', message: 'Must have at most 2500 members.' }] },
    });
  });
});
