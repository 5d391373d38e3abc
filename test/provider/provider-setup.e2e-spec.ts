import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { RESOLVE_HOST } from '../../src/ai/egress/resolve-host.js';
import { ModelConfig } from '../../src/configs/model-config.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import {
  cut,
  errorEvent,
  finish,
  noDone,
  PlayedProvider,
  raw,
  reasoning,
  type Refusal,
  stall,
} from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

const AZURE = [
  'unit.openai.azure.com',
  'unit.cognitiveservices.azure.com',
  'UNIT.OpenAI.Azure.com.',
  'unit.services.ai.azure.com',
  'unit.openai.azure.us',
];
const NOT_AZURE = ['openai.azure.com.evil.test', 'evilopenai.azure.com', 'api.openai.test'];

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  const hosts = [...AZURE, ...NOT_AZURE, '127.0.0.1'].map((host) => new URL(`http://${host}`).hostname);
  t = await startTestApp({
    env: { MODEL_URL_ALLOWED_HOSTS: hosts.join(',') },
    providers: [[RESOLVE_HOST, () => Promise.resolve([{ address: '127.0.0.1', family: 4 }])]],
  });
});
afterAll(() => t.stop());
beforeEach(async () => {
  provider = await PlayedProvider.start();
  ada = await t.user().create();
});
afterEach(() => provider.stop());

interface Config {
  id: number;
  model_url: string;
  params: Record<string, unknown>;
}

interface Test {
  ok: boolean;
  error?: { code: string; detail: string; hint?: string };
}

async function addConfig(body: object = {}): Promise<Config> {
  const answer = await ada.post('/auth/config/create', {
    model_url: provider.url,
    model_name: 'test-model',
    api_key: 'sk-0123456789abcdef',
    ...body,
  });
  expect([answer.status, answer.body]).toEqual([201, answer.body]);
  return answer.body as unknown as Config;
}

const test = async ({ id }: Config) => (await ada.post<Test>(`/auth/config/${id}/test`)).body;
const models = async ({ id }: Config) => ada.get<{ models: string[] }>(`/auth/config/${id}/models`);

/** @returns the request that the provider received */
async function chat(conversation: object = {}) {
  const { id } = await ada.createConversation({ title: 'Set up', ...conversation });
  const { status, body } = await ada.send(id, 'Hi');
  expect([status, body.assistant_message]).toMatchObject([200, { content: 'Hello from the model.' }]);
  return provider.chats.at(-1)!;
}

describe('a query in model_url', () => {
  it('follows the path of each call, repeated names included', async () => {
    const config = await addConfig({ model_url: `${provider.url}/chat/completions?api-version=1&a=%20&a=2` });

    const { path } = await chat();
    await models(config);
    await test(config);

    expect(config.model_url).toBe(`${provider.url}?api-version=1&a=%20&a=2`);
    expect(path).toBe('/v1/chat/completions?api-version=1&a=%20&a=2');
    expect(provider.requests.map((request) => request.path)).toEqual([
      path,
      '/v1/models?api-version=1&a=%20&a=2',
      path,
    ]);
  });

  it('still requires the key for another origin', async () => {
    const { id } = await addConfig({ model_url: 'https://one.example/v1?a=1' });
    const move = (model_url: string) => ada.post<Config>(`/auth/config/${id}/update`, { model_url });

    for (const url of ['https://two.example/v1?https://one.example/v1', 'https://two.example?@one.example/'])
      expect((await move(url)).body).toMatchObject({ errors: [{ field: 'api_key' }] });
    expect((await move('https://one.example/v2?b=2')).body.model_url).toBe('https://one.example/v2?b=2');
  });
});

describe('the key', () => {
  it.each([...AZURE, ...NOT_AZURE])('is sent to %s in its own headers', async (host) => {
    await addConfig({ model_url: `http://${host}:${provider.port}/v1` });

    const { headers } = await chat();

    expect(headers.authorization).toBe('Bearer sk-0123456789abcdef');
    expect(headers['api-key']).toBe(AZURE.includes(host) ? 'sk-0123456789abcdef' : undefined);
  });

  it.each<[string, object]>([
    ['absent', { api_key: undefined }],
    ['empty', { api_key: '' }],
    ['white space', { api_key: ' \n' }],
  ])('may be %s, which sends no credentials', async (_, body) => {
    const config = await addConfig({ model_url: `http://${AZURE[0]}:${provider.port}/v1`, ...body });

    const { headers } = await chat();
    expect(await test(config)).toMatchObject({ ok: true });

    expect(config).toMatchObject({ key_status: 'ok' });
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('api-key');
  });

  it('is removed by an empty value, and then not required for another origin', async () => {
    const { id } = await addConfig();
    const update = (body: object) => ada.post<Config>(`/auth/config/${id}/update`, body);

    expect((await update({ api_key: '' })).status).toBe(200);
    expect((await chat()).headers).not.toHaveProperty('authorization');
    expect((await update({ model_url: 'https://two.example/v1' })).status).toBe(200);
    expect((await update({ model_url: provider.url, api_key: 'sk-new' })).status).toBe(200);
    expect((await chat()).headers.authorization).toBe('Bearer sk-new');
    expect((await update({ model_url: 'https://two.example/v1', api_key: '' })).status).toBe(200);
  });

  it('that cannot be decrypted is still required for another origin', async () => {
    const { id } = await addConfig();
    await t.app.get(DataSource).manager.update(ModelConfig, { id }, { encryptedApiKey: 'gAAAAA' });

    const { body } = await ada.post(`/auth/config/${id}/update`, { model_url: 'https://two.example/v1' });

    expect(body).toMatchObject({ errors: [{ field: 'api_key' }] });
  });

  it('is trimmed, like URL and model', async () => {
    const model_url = `\u200b\t${provider.url}/Chat/Completions \r\n\u2060`;
    const config = await addConfig({
      model_url,
      model_name: ' test-model\n\ufeff',
      api_key: '\nsk-trimmed\u200b ',
    });

    const { headers, body } = await chat();

    expect(config).toMatchObject({ model_url: provider.url, model_name: 'test-model', name: 'test-model' });
    expect(headers.authorization).toBe('Bearer sk-trimmed');
    expect(body.model).toBe('test-model');
  });
});

describe('params', () => {
  const merged: [what: string, config: object, conversation: object, sent: object][] = [
    [
      'those of the conversation over those of the configuration',
      { temperature: 1, top_p: 0.5 },
      { temperature: 0 },
      { temperature: 0, top_p: 0.5 },
    ],
    ['null as unset', { temperature: 1, seed: 1 }, { temperature: null, stop: null }, { seed: 1 }],
    ['null in a configuration as absent', { temperature: null, seed: 1 }, {}, { seed: 1 }],
    [
      'max_completion_tokens for max_tokens',
      { max_tokens: 9 },
      { max_completion_tokens: 5 },
      { max_completion_tokens: 5 },
    ],
    [
      'max_tokens for max_completion_tokens',
      { max_completion_tokens: 9 },
      { max_tokens: 5 },
      { max_tokens: 5 },
    ],
    ['no length limit under either name', { max_tokens: 9 }, { max_completion_tokens: null }, {}],
    [
      'members of extra_body',
      { extra_body: { top_k: 5, provider: { zdr: true } } },
      {},
      { top_k: 5, provider: { zdr: true } },
    ],
    ['extra_body over params', { seed: 1, extra_body: { seed: 2, x: null } }, {}, { seed: 2, x: null }],
    ['no extra_body if the conversation unsets it', { extra_body: { top_k: 5 } }, { extra_body: null }, {}],
    [
      'no reserved member of extra_body',
      { extra_body: { stream_options: { include_usage: false } } },
      {},
      {},
    ],
  ];

  it.each(merged)('are sent with %s', async (_, params, conversation, sent) => {
    await addConfig({ params });

    const { body } = await chat({ params: conversation });

    expect(body).toEqual({
      ...sent,
      model: 'test-model',
      messages: [{ role: 'user', content: 'Hi' }],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('are returned as they were sent, nulls of a conversation included', async () => {
    const params = { temperature: null, extra_body: { a: { b: [1, null] } } };

    expect(await ada.createConversation({ params })).toMatchObject({ params });
    expect((await addConfig({ params })).params).toEqual({ extra_body: params.extra_body });
  });
});

describe('a config test', () => {
  const DELTA = 'data: {"choices":[{"delta":{"content":" "}}]}\n\n';

  it.each<[what: string, base: string]>([
    ['without /v1', ''],
    ['without /v1, below another path', '/api'],
  ])('of a model_url %s fails with the suggested URL', async (_, base) => {
    provider.base = `${base}/v1`;
    const model_url = `http://127.0.0.1:${provider.port}${base}`;

    const { ok, error } = await test(await addConfig({ model_url }));

    expect({ ok, error }).toMatchObject({
      ok: false,
      error: { code: 'upstream_error', detail: '404 page not found' },
    });
    expect(error?.hint).toContain(`${model_url}/v1`);
    expect(error?.hint).toMatch(/answers/);
  });

  it('suggests a URL that keeps the query, with the error at that URL', async () => {
    provider.refuse = (_, path) =>
      path.startsWith('/v1/') ? [401, { error: { message: 'No such key' } }] : undefined;
    const { error } = await test(await addConfig({ model_url: `http://127.0.0.1:${provider.port}?a=1` }));

    expect(error?.hint).toContain(`http://127.0.0.1:${provider.port}/v1?a=1`);
    expect(error?.hint).toContain('No such key');
  });

  it.each<[string, Refusal]>([
    ['an HTML page', [200, '<!doctype html>']],
    ['405', [405, { detail: 'Method Not Allowed' }]],
    ['LM Studio’s error', [200, { error: 'Unexpected endpoint or method. (POST /chat/completions)' }]],
  ])('suggests a URL for %s as for a 404', async (_, refusal) => {
    provider.refuse = (_, path) => (path.startsWith('/v1/') ? undefined : refusal);

    const { ok, error } = await test(await addConfig({ model_url: `http://127.0.0.1:${provider.port}` }));

    expect({ ok, hint: error?.hint }).toMatchObject({ ok: false, hint: expect.stringContaining('/v1') });
  });

  it('suggests nothing if /v1 fails too or is already present', async () => {
    provider.base = '/nowhere';
    const urls = ['', '/v1', '/api/paas/v4', '/v1beta/openai'].map(
      (path) => `http://127.0.0.1:${provider.port}${path}`,
    );
    for (const model_url of urls) {
      const { ok, error } = await test(await addConfig({ model_url }));
      expect({ ok, hint: error?.hint }).toEqual({ ok: false, hint: undefined });
    }
    expect(provider.requests).toHaveLength(urls.length + 1);
  });

  it('succeeds at the first text after reasoning', async () => {
    provider.willStream(reasoning('Hm'), 'Hel', stall());

    expect(await test(await addConfig())).toMatchObject({ ok: true });
  });

  it.each<[what: string, play: () => void]>([
    ['fails after its first text', () => provider.willStream('Hel', errorEvent({ message: 'No' }))],
    ['disconnects during its first text', () => provider.willStream('Hel', noDone(), cut())],
    ['ends after only white space', () => provider.willStream(raw(DELTA), noDone())],
    ['ends after only reasoning', () => provider.willStream(reasoning('Hm'), noDone())],
    ['refuses every request', () => (provider.refuse = () => [400, { error: { message: 'No' } }])],
    ['filters the reply', () => provider.willStream(reasoning('Hm'), finish('content_filter'))],
  ])('fails like a chat if the provider %s', async (_, play) => {
    const config = await addConfig();
    play();

    expect(await test(config)).toMatchObject({ ok: false });
  });

  it('remembers refused parameters for chats', async () => {
    provider.refuse = ({ temperature }) =>
      temperature === undefined
        ? undefined
        : [400, { error: { message: 'Unsupported', param: 'temperature' } }];

    expect(await test(await addConfig({ params: { temperature: 1 } }))).toMatchObject({ ok: true });
  });
});

describe('the list of models', () => {
  const BOM = '\ufeff';
  it.each<[string, string | object, string[]]>([
    ['OpenAI’s list', { object: 'list', data: [{ id: 'a' }, { id: 'b' }, { id: 'a' }] }, ['a', 'b']],
    ['{models}', { models: [{ name: 'a' }, { model: 'b' }, 'c'] }, ['a', 'b', 'c']],
    ['a list of text', ['a', 'b'], ['a', 'b']],
    [
      'a list of objects',
      [
        { id: 'a', name: 'A' },
        { name: 'b', model: 'B' },
      ],
      ['a', 'b'],
    ],
    ['Cloudflare’s list', { result: [{ id: 'a' }], success: true }, ['a']],
    ['a nested list', { code: 0, data: { models: ['a'] } }, ['a']],
    ['a list with a byte order mark', `${BOM}{"data":[{"id":"a"}]}`, ['a']],
    ['a list with invalid items', { data: [null, 7, {}, { id: '' }, { id: 7, name: 'a' }] }, ['a']],
    ['an empty list', { data: [] }, []],
    ['Ollama’s empty list', { object: 'list', data: null }, []],
  ])('is read from %s', async (_, list, ids) => {
    provider.modelList = list;

    expect((await models(await addConfig())).body).toEqual({ models: ids });
  });

  it.each<[string, string | object, string, string]>([
    ['an error', { error: { message: 'No such key', code: 401 } }, 'upstream_auth', 'No such key'],
    [
      'JSON without a list',
      { hello: 'world' },
      'upstream_bad_response',
      'The provider answered with no list of models.',
    ],
    ['an HTML page', '<html>', 'upstream_bad_response', 'The provider answered with no list of models.'],
  ])('is an error for %s', async (_, list, code, detail) => {
    provider.modelList = list;

    expect((await models(await addConfig())).body).toMatchObject({ status: 502, code, detail });
  });
});
