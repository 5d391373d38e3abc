/** Model configurations: creating, changing, testing and deleting. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigsService } from '../../src/configs/configs.service.js';
import { ModelConfig } from '../../src/configs/model-config.entity.js';
import { EncryptionService } from '../../src/encryption/encryption.service.js';
import { Settings } from '../../src/env/settings.js';
import { ParleyEvent } from '../../src/events/parley-event.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { configCalls, KEY } from '../support/clients/configs.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Answer, Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;
let eve: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  eve = await t.user().withConfig(t.provider).create();
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().create();
});

const { valid, create, update, remove, list, made } = configCalls(
  () => t.provider,
  () => ada,
);

describe('creating a configuration', () => {
  it('returns every field except the key', async () => {
    const { status, body } = await create();

    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(Number),
      name: 'test-model',
      model_url: t.provider.url,
      model_name: 'test-model',
      is_default: true,
      context_tokens: 32_768,
      params: {},
      key_status: 'ok',
      shared: false,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    expect(await list()).toEqual([body]);
  });

  it('removes directional controls from its name, whether given or derived', async () => {
    expect((await made({ name: '\u202eWork\u202c 👩‍💻' })).name).toBe('Work 👩‍💻');
    expect((await made({ model_name: 'gpt\u202e' })).name).toBe('gpt');
  });

  it('stores the key encrypted', async () => {
    const { id } = await made();
    const row = await t.manager.findOneByOrFail(ModelConfig, { id });

    expect(JSON.stringify(row)).not.toContain(KEY);
    expect(t.app.get(EncryptionService).decrypt(row.encryptedApiKey)).toBe(KEY);
  });

  it.each([
    ['https://api.openai.com/v1', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1/', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1///', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1/chat/completions', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1//chat/completions/', 'https://api.openai.com/v1'],
    ['https://api.openai.com', 'https://api.openai.com'],
    ['\t https://api.openai.com/v1 \n', 'https://api.openai.com/v1'],
    ['https://api.openai.com/V1/Chat/Completions/', 'https://api.openai.com/V1'],
    ['https://api.openai.com/v1/completions', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1/models', 'https://api.openai.com/v1'],
    ['https://api.anthropic.com/v1/messages', 'https://api.anthropic.com/v1'],
    ['https://x.services.ai.azure.com/models', 'https://x.services.ai.azure.com/models'],
    ['https://example.com/v1?', 'https://example.com/v1'],
    ['https://example.com/v1?key=1', 'https://example.com/v1?key=1'],
    ['https://example.com/v1/chat/completions/?a=1&a=2', 'https://example.com/v1?a=1&a=2'],
    ['https://example.com?x=/chat/completions', 'https://example.com?x=/chat/completions'],
    [
      'https://x.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21',
      'https://x.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21',
    ],
  ])('normalizes the URL %s to its base', async (modelUrl, base) => {
    expect((await made({ model_url: modelUrl })).model_url).toBe(base);
  });

  it.each([
    ['a word', 'nonsense'],
    ['nothing', ''],
    ['what is nothing once it is trimmed', '///'],
    ['another scheme', 'ftp://example.com/v1'],
    ['a script', 'javascript:alert(1)'],
    ['credentials', 'https://user:pass@example.com/v1'],
    ['white space within', 'https://example.com/a b'],
    ['a line break', 'https://exam\nple.com/v1'],
    ['a NUL', 'https://example.com/\0'],
    ['a key in its query', 'https://example.com/v1?api-version=1&API_KEY=0123456789abcdef'],
    ['a token in its query', 'https://example.com/v1?access%5Ftoken=0123456789abcdef'],
    ['credentials before a query', 'https://user:pass@example.com?v1'],
    ['a query alone', '?api-version=1'],
    ['a private address with a query', 'https://10.0.0.1?@example.com/v1'],
    ['a fragment', 'https://example.com/v1#a'],
    ['a fragment after a query', 'https://example.com/v1?a=1#b'],
    ['more than 2048 characters', `https://example.com/${'a'.repeat(2048)}`],
    ['a private address', 'https://10.0.0.1/v1'],
    ['the metadata address', 'http://169.254.169.254/latest'],
    ['no host', 'https:///v1'],
    ['no host and no path', 'https://'],
    ['more slashes', 'https:////example.com/v1'],
    ['one slash', 'https:/example.com/v1'],
    ['no slash', 'https:example.com/v1'],
    ['backslashes', 'https:\\\\example.com\\v1'],
    ['a slash and a backslash', 'https:/\\example.com/v1'],
    ['a backslash after its slashes', 'https://\\example.com/v1'],
    ['a backslash in its path', 'https://example.com\\v1'],
    ['a tab within', 'https://exam\tple.com/v1'],
    ['a tab in its scheme', 'ht\ttps://example.com/v1'],
    ['full-width slashes', 'https:／／example.com/v1'],
    ['a port alone', 'https://:443/v1'],
    ['a query in place of a host', 'https://?a=1'],
    ['empty credentials', 'https://@example.com/v1'],
    ['an empty name and password', 'https://:@example.com/v1'],
    ['a number', 7],
    ['null', null],
  ])('refuses a model_url with %s', async (_, modelUrl) => {
    expect(invalidFields(await create({ model_url: modelUrl }))).toEqual(['model_url']);
  });

  it.each<[string, object, string]>([
    ['a key with a space', { api_key: 'sk a' }, 'api_key'],
    ['a key that would end its header', { api_key: 'sk\r\nX-Evil: 1' }, 'api_key'],
    ['a key beyond ASCII', { api_key: 'sk-é' }, 'api_key'],
    ['a key of 4097 characters', { api_key: 'k'.repeat(4097) }, 'api_key'],
    ['an object for a key', { api_key: { $ne: 1 } }, 'api_key'],
    ['no model name', { model_name: '' }, 'model_name'],
    ['a blank model name', { model_name: ' ' }, 'model_name'],
    ['a model name of 201 characters', { model_name: '😀'.repeat(201) }, 'model_name'],
    ['a name that shows as nothing', { name: '\u200b\u2800' }, 'name'],
    ['a name of overrides', { name: '\u202e\u2069' }, 'name'],
    ['a model name that shows as nothing', { model_name: '\u3164\ufe0f' }, 'model_name'],
    ['a name with a NUL', { name: 'a\0b' }, 'name'],
    ['a name with a lone surrogate', { name: 'a\ud800' }, 'name'],
    ['too small a context', { context_tokens: 255 }, 'context_tokens'],
    ['too large a context', { context_tokens: 10_000_001 }, 'context_tokens'],
    ['half a token', { context_tokens: 1000.5 }, 'context_tokens'],
    ['a context in text', { context_tokens: '1000' }, 'context_tokens'],
    ['a default in text', { is_default: 'true' }, 'is_default'],
    ['an unknown field', { colour: 'red' }, 'colour'],
    ["another user's id", { user_id: 1 }, 'user_id'],
  ])('refuses %s', async (_, extra, field) => {
    expect(invalidFields(await create(extra))).toEqual([field]);
    expect(await list()).toEqual([]);
  });

  it('reports all invalid fields at once, and never echoes the key', async () => {
    const answer = await ada.post('/auth/config/create', { api_key: 'sk secret', context_tokens: 1, x: 1 });

    expect(invalidFields(answer).sort()).toEqual([
      'api_key',
      'context_tokens',
      'model_name',
      'model_url',
      'x',
    ]);
    expect(JSON.stringify(answer.body)).not.toContain('sk secret');
  });

  it('keeps names of any script exactly, up to 200 characters', async () => {
    const name = '👩‍💻 مرحبا ' + '😀'.repeat(190);

    expect((await made({ name })).name).toBe(name);
    expect((await list())[0]!.name).toBe(name);
  });

  it('refuses the 51st configuration, also among concurrent requests', async () => {
    for (let i = 0; i < 46; i++) await made();
    const answers = await Promise.all(Array.from({ length: 12 }, () => create()));
    const refused = answers.filter(({ status }) => status !== 201);

    expect(refused).toHaveLength(8);
    for (const answer of refused) expectProblem(answer, 409, 'config_limit');
    expect(await list()).toHaveLength(50);
  });
});

describe('in production', () => {
  it('refuses an http model_url unless its host is allowed', async () => {
    const settings = t.app.get(Settings);
    const before = { ...settings };
    Object.assign(settings, { production: true, modelUrlAllowedHosts: ['ollama.test:11434'] });
    try {
      expect(invalidFields(await create({ model_url: 'http://example.com/v1' }))).toEqual(['model_url']);
      expect((await create({ model_url: 'http://ollama.test:11434/v1' })).status).toBe(201);
      expect((await create({ model_url: 'https://example.com/v1' })).status).toBe(201);
    } finally {
      Object.assign(settings, before);
    }
  });
});

describe('params', () => {
  const params = {
    temperature: 0.7,
    top_p: 1,
    max_tokens: 100,
    max_completion_tokens: 100,
    frequency_penalty: -2,
    presence_penalty: 2,
    seed: -5,
    stop: ['\n', 'END'],
    logit_bias: { '50256': -100 },
    reasoning_effort: 'low',
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'x', schema: { type: 'object' } },
    },
    verbosity: 'high',
    extra_body: { enable_thinking: false, provider: { order: ['a'], zdr: null }, x: 'x'.repeat(16_000) },
  };

  it('are returned as they were sent', async () => {
    expect((await made({ params })).params).toEqual(params);
    expect((await list())[0]!.params).toEqual(params);
  });

  it.each<[string, unknown, string]>([
    ['temperature', 2.1, 'params.temperature'],
    ['temperature', '1', 'params.temperature'],
    ['top_p', -0.1, 'params.top_p'],
    ['max_tokens', 0, 'params.max_tokens'],
    ['max_tokens', 1.5, 'params.max_tokens'],
    ['frequency_penalty', 3, 'params.frequency_penalty'],
    ['seed', 1.5, 'params.seed'],
    ['stop', [], 'params.stop'],
    ['stop', ['a', 'b', 'c', 'd', 'e'], 'params.stop'],
    ['stop', [1], 'params.stop'],
    ['logit_bias', { hello: 1 }, 'params.logit_bias'],
    ['logit_bias', { '1': 101 }, 'params.logit_bias'],
    ['logit_bias', [], 'params.logit_bias'],
    ['reasoning_effort', 'huge', 'params.reasoning_effort'],
    ['response_format', { type: 'xml' }, 'params.response_format'],
    ['verbosity', 1, 'params.verbosity'],
    ['model', 'another-model', 'params.model'],
    ['stream', false, 'params.stream'],
    ['messages', [], 'params.messages'],
    ['top_k', 5, 'params.top_k'],
    ['extra_body', [], 'params.extra_body'],
    ['extra_body', 'top_k=5', 'params.extra_body'],
    ['extra_body', { model: 'other' }, 'params.extra_body'],
    ['extra_body', { Messages: [] }, 'params.extra_body'],
    ['extra_body', { stream: false }, 'params.extra_body'],
    ['extra_body', { N: 3 }, 'params.extra_body'],
    ['extra_body', { x: 'x'.repeat(16_384) }, 'params.extra_body'],
    ['extra_body', { x: 'a\0' }, 'params.extra_body'],
    ['extra_body', JSON.parse('{"__proto__":{"a":1}}'), 'params.extra_body.__proto__'],
  ])('refuse %s: %j', async (name, value, field) => {
    expect(invalidFields(await create({ params: { [name]: value } }))).toEqual([field]);
  });

  it.each([['text'], [[]], [[{ temperature: 1 }]], [7]])('refuse the value %j', async (value) => {
    expect(invalidFields(await create({ params: value }))).toEqual(['params']);
  });

  it.each(['__proto__', 'constructor', 'toString'])('refuse the key %s, at any depth', async (key) => {
    const body = (json: string) => JSON.stringify(valid()).replace(/}$/, `,"params":${json}}`);

    expect(invalidFields(await ada.post('/auth/config/create', body(`{"${key}":{"a":1}}`)))).toEqual([
      `params.${key}`,
    ]);
    const deep = `{"response_format":{"type":"json_schema","x":{"${key}":1}}}`;
    expect(invalidFields(await ada.post('/auth/config/create', body(deep)))).toEqual([
      `params.response_format.x.${key}`,
    ]);
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  it('refuse more than 16 KiB, and more than 8 levels', async () => {
    const format = (x: unknown) => ({ params: { response_format: { type: 'json_schema', x } } });
    const nested = (levels: number): object => (levels === 0 ? {} : { a: nested(levels - 1) });

    expect((await create(format('x'.repeat(16_000)))).status).toBe(201);
    expect(invalidFields(await create(format('x'.repeat(16_384))))).toEqual(['params']);
    expect((await create(format(nested(5)))).status).toBe(201);
    expect(invalidFields(await create(format(nested(6))))).toEqual(['params']);
    expect(invalidFields(await create(format('a\0')))).toEqual(['params']);
  });
});

describe('updating a configuration', () => {
  it('changes only the fields sent', async () => {
    const before = await made({ name: 'Work', params: { temperature: 1 } });
    const { status, body } = await update(before.id, { model_name: 'other', params: { top_p: 0.5 } });

    expect(status).toBe(200);
    expect(body).toEqual({
      ...before,
      model_name: 'other',
      params: { top_p: 0.5 },
      updated_at: body.updated_at,
    });
    expect(await list()).toEqual([body]);
  });

  it.each([{ name: 'Other' }, { api_key: 'sk-other' }, { params: {} }])(
    'sets updated_at: %j',
    async (changes) => {
      const { id, created_at } = await made();
      const past = new Date(Date.parse(created_at as string) - 60_000);
      await t.manager.update(ModelConfig, { id }, { createdAt: past, updatedAt: past });

      const { body } = await update(id, changes);

      expect(body.created_at).toBe(past.toISOString());
      expect(Date.parse(body.updated_at)).toBeGreaterThanOrEqual(Date.parse(created_at as string));
    },
  );

  it('changes nothing for an empty body', async () => {
    const before = await made();

    expect((await update(before.id, {})).body).toEqual(before);
  });

  it('refuses another origin without the key, and never sends the old key there', async () => {
    const { id } = await made({ model_url: 'https://one.example/v1' });
    const elsewhere = ['https://two.example/v1', 'http://one.example/v1', 'https://one.example:8443/v1'];
    for (const model_url of elsewhere)
      expect(invalidFields(await update(id, { model_url }))).toEqual(['api_key']);
    expect((await list())[0]!.model_url).toBe('https://one.example/v1');

    expect((await update(id, { model_url: 'https://ONE.example:443/v2' })).status).toBe(200);
    const answer = await update(id, { model_url: 'https://two.example/v1', api_key: 'sk-two' });
    expect(answer.body.model_url).toBe('https://two.example/v1');
    const { provider } = await t.app.get(ConfigsService).resolve(ada.id, id);
    expect(provider).toMatchObject({ modelUrl: 'https://two.example/v1', apiKey: 'sk-two' });
  });

  it.each<[object, string]>([
    [{ model_url: 'http://169.254.169.254', api_key: 'k' }, 'model_url'],
    [{ id: 3 }, 'id'],
    [{ params: { temperature: 9 } }, 'params.temperature'],
  ])('refuses %j', async (body, field) => {
    const before = await made();

    expect(invalidFields(await update(before.id, body))).toEqual([field]);
    expect(await list()).toEqual([before]);
  });
});

describe('deleting a configuration', () => {
  it('answers 204 and moves its conversations to the default', async () => {
    const { id } = await made();
    const conversation = await ada.createConversation({ config_id: id });
    const { status, body } = await remove(id);

    expect([status, body]).toEqual([204, '']);
    expect(await list()).toEqual([]);
    expect((await ada.get(`/conversations/${conversation.id}`)).body.config_id).toBeNull();
    expectProblem(await remove(id), 404, 'not_found');
  });
});

describe('another user’s configuration', () => {
  const calls: [string, (id: number | string) => Promise<Answer<unknown>>][] = [
    ['update', (id) => ada.post(`/auth/config/${id}/update`, { name: 'mine now' })],
    ['delete', (id) => ada.post(`/auth/config/${id}/delete`)],
    ['test', (id) => ada.post(`/auth/config/${id}/test`)],
    ['models', (id) => ada.get(`/auth/config/${id}/models`)],
  ];

  it.each(calls)('is reported as missing by %s', async (_, call) => {
    const [hers] = await list(eve);
    const asked = t.provider.requests.length;
    const answer = await call(hers!.id);
    const missing = await call(999_999_999);
    const without = (body: unknown) => ({ ...(body as object), instance: '', request_id: '' });

    expectProblem(answer, 404, 'not_found');
    expect(without(answer.body)).toEqual(without(missing.body));
    expect(await list(eve)).toEqual([hers]);
    expect(t.provider.requests).toHaveLength(asked);
  });

  it.each(calls)('is reported like a malformed id by %s', async (_, call) => {
    for (const id of ['0', '-1', '1.5', '9223372036854775808', 'abc', '1e1', '%00', '01']) {
      expectProblem(await call(id), 404, 'not_found');
    }
  });

  it('requires a token', async () => {
    expectProblem(await t.http.get('/auth/config'), 401, 'unauthenticated');
    expectProblem(await t.http.post('/auth/config/create', valid()), 401, 'unauthenticated');
  });
});

describe('testing a configuration', () => {
  it('requests one real completion with the stored key', async () => {
    const { id } = await made();
    const before = t.provider.requests.length;
    const { status, body } = await ada.post(`/auth/config/${id}/test`);

    expect(status).toBe(200);
    expect(body).toEqual({ ok: true, latency_ms: expect.any(Number), model: 'test-model' });
    const asked = t.provider.requests.slice(before);
    expect(asked.map((request) => request.headers.authorization)).toEqual([`Bearer ${KEY}`]);
  });

  it('returns the provider’s refusal as a result, without the key', async () => {
    const { id } = await made();
    t.provider.willAnswer(401, { error: { message: `Incorrect API key provided: ${KEY}.` } });
    const { status, body } = await ada.post(`/auth/config/${id}/test`);

    expect(status).toBe(200);
    expect(body).toMatchObject({ ok: false, error: { code: 'upstream_auth', detail: expect.any(String) } });
    expect(JSON.stringify(body)).not.toContain(KEY);
  });

  it('lists the provider’s models', async () => {
    const { id } = await made();

    expect((await ada.get(`/auth/config/${id}/models`)).body).toEqual({ models: ['test-model'] });
  });

  it('answers 502 when the models cannot be listed', async () => {
    const { id } = await made({ model_url: `${t.provider.url}/nowhere` });
    const closed = await made({ model_url: 'http://127.0.0.1:1/v1' });

    expect((await ada.get<{ code: string }>(`/auth/config/${id}/models`)).body.code).toMatch(/^upstream_/);
    expectProblem(await ada.get(`/auth/config/${closed.id}/models`), 502, 'upstream_unreachable');
  });
});

describe('change events', () => {
  it('are sent only to their user, without keys', async () => {
    let renamed: Thing;
    let seen: ParleyEvent[] = [];
    const others = await t.eventsDuring(eve.id, async () => {
      seen = await t.eventsDuring(ada.id, async () => {
        const { id } = await made();
        renamed = (await update(id, { name: 'Renamed' })).body;
        await remove(id);
      });
    });

    expect(seen.map(({ type }) => type)).toEqual(['config.changed', 'config.changed', 'config.changed']);
    expect(JSON.parse(seen[1]!.json)).toEqual({ configs: [renamed!] });
    expect(JSON.parse(seen[2]!.json)).toEqual({ configs: [] });
    expect(seen.map(({ json }) => json).join()).not.toContain(KEY);
    expect(others).toEqual([]);
  });
});
