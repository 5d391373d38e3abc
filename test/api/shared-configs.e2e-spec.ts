/** Configurations of the operator, shared with all users. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { IsNull } from 'typeorm';
import { ModelConfig } from '../../src/configs/model-config.entity.js';
import { EncryptionService } from '../../src/encryption/encryption.service.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';

const KEY = 'operators-own-key-1234567890';

let t: TestApp;
let admin: TestUser;
let ada: TestUser;
let model: Thing;

beforeAll(async () => {
  t = await startTestApp();
  admin = await createAdmin(t);
});
afterAll(() => t.stop());
beforeEach(async () => {
  await t.manager.delete(ModelConfig, { userId: IsNull() });
  ada = await t.user().create();
  model = await share({ name: 'House model' });
});

async function share(options: object = {}): Promise<Thing> {
  const config = { model_url: t.provider.url, model_name: 'shared-model', api_key: KEY, ...options };
  const { status, body } = await admin.post<Thing>('/admin/configs/create', config);
  expect(status).toBe(201);
  return body;
}
const change = (changes: object, id = model.id) => admin.post<Thing>(`/admin/configs/${id}/update`, changes);
const configsOf = async (user: TestUser) =>
  (await user.get<{ configs: Thing[]; total: number }>('/auth/config')).body.configs;

describe('a shared configuration', () => {
  it('is shown to administrators with its URL, and never with its key', async () => {
    const { body } = await admin.get<{ configs: Thing[]; total: number }>('/admin/configs');

    expect(body).toEqual({ configs: [model], total: 1 });
    expect(model).toMatchObject({
      model_url: t.provider.url,
      shared: true,
      enabled: true,
      is_default: true,
      daily_tokens_per_user: null,
      key_status: 'ok',
    });
    expect(JSON.stringify(body)).not.toContain(KEY);
  });

  it('is in every user’s list after the own ones, without its URL', async () => {
    const bob = await t.user().withConfig(t.provider).create();

    expect(await configsOf(ada)).toEqual([
      expect.objectContaining({ id: model.id, shared: true, model_url: null, is_default: true }),
    ]);
    expect(await configsOf(bob)).toEqual([
      expect.objectContaining({ id: bob.configId, shared: false, is_default: true }),
      expect.objectContaining({ id: model.id, shared: true, model_url: null, is_default: false }),
    ]);
    expect((await ada.get<Thing>('/auth/me')).body.has_config).toBe(false);
    expect((await ada.get<Thing>('/auth/me/export')).body.configs).toEqual([]);
  });

  it('answers users without own ones, and those who choose it, with the operator’s key', async () => {
    const bob = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation({ title: 'Shared' });
    const chosen = await bob.createConversation({ title: 'Shared', config_id: model.id });
    const own = await bob.createConversation({ title: 'Own' });
    const asked = t.provider.chats.length;

    expect((await ada.send(id, 'Hi')).body.assistant_message).toMatchObject({ model_name: 'shared-model' });
    await bob.send(chosen.id, 'Hi');
    await bob.send(own.id, 'Hi');
    await bob.send(own.id, 'Hi', { config_id: model.id });

    const used = t.provider.chats
      .slice(asked)
      .map(({ body, headers }) => [body.model, headers.authorization]);
    const shared = ['shared-model', `Bearer ${KEY}`];
    expect(used).toEqual([shared, shared, ['test-model', 'Bearer sk-test'], shared]);
  });

  it.each([
    ['POST', 'update', { api_key: 'sk-mine' }],
    ['POST', 'update', { model_url: 'https://example.com/v1' }],
    ['POST', 'delete', undefined],
    ['POST', 'test', undefined],
    ['GET', 'models', undefined],
  ])('refuses a user’s %s …/%s %j with 403', async (method, call, body) => {
    const path = `/auth/config/${model.id}/${call}`;
    const answer = await (method === 'GET' ? ada.get<Thing>(path) : ada.post<Thing>(path, body));

    expect([answer.status, answer.body.code]).toEqual([403, 'shared_config']);
    expect((await admin.get<{ configs: Thing[] }>('/admin/configs')).body.configs).toEqual([model]);
  });

  it('is replaced by the default where it is off or gone', async () => {
    const other = await share({ model_name: 'other-model' });
    const { id } = await ada.createConversation({ title: 'Shared', config_id: other.id });
    const modelOf = async () => (await ada.send(id, 'Hi')).body.assistant_message?.model_name;

    expect(await modelOf()).toBe('other-model');
    await change({ enabled: false }, other.id);
    expect(await modelOf()).toBe('shared-model');
    expect((await configsOf(ada)).map((config) => config.id)).toEqual([model.id]);
    expect((await ada.send(id, 'Hi', { config_id: other.id })).body).toMatchObject({
      code: 'validation_failed',
      errors: [{ field: 'config_id' }],
    });
    await admin.post(`/admin/configs/${other.id}/delete`);
    expect(await modelOf()).toBe('shared-model');
    await change({ enabled: false });
    expect((await ada.send(id, 'Hi')).body.code).toBe('no_model_config');
  });

  it('is the default of one at a time', async () => {
    const other = await share({ model_name: 'other-model', is_default: true });
    expect((await configsOf(ada)).map((config) => [config.id, config.is_default])).toEqual([
      [model.id, false],
      [other.id, true],
    ]);
    expect((await change({ is_default: false }, other.id)).body.errors).toMatchObject([
      {
        field: 'is_default',
        message: 'Must not be false for the default: make another configuration the default instead.',
      },
    ]);

    for (let round = 0; round < 10; round++) {
      const moves = await Promise.all([change({ is_default: true }), change({ is_default: true }, other.id)]);
      expect(moves.map(({ status }) => status)).toEqual([200, 200]);
    }
    const defaults = (await configsOf(ada)).filter((config) => config.is_default);
    expect(defaults).toHaveLength(1);
  });

  it('needs its key again for a URL of another origin', async () => {
    const moved = await change({ model_url: 'http://127.0.0.1:9/v1' });
    expect([moved.status, (moved.body.errors as Thing[])[0]!.field]).toEqual([422, 'api_key']);

    expect((await change({ model_url: `${t.provider.url}/sub` })).status).toBe(200);
    expect((await change({ model_url: 'http://127.0.0.1:9/v1', api_key: 'sk-new' })).status).toBe(200);
  });

  it('sends no key to another origin when two administrators change it at once', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await share();
      const moved = { model_url: 'http://127.0.0.1:9/v1', api_key: 'sk-of-port-9' };
      await Promise.all([change(moved, id), change({ model_url: `${t.provider.url}/sub` }, id)]);

      const row = await t.manager.findOneByOrFail(ModelConfig, { id });
      const apiKey = t.app.get(EncryptionService).decrypt(row.encryptedApiKey);
      expect([row.modelUrl, apiKey]).toEqual([moved.model_url, moved.api_key]);
    }
  });

  it.each(['http://10.0.0.1/v1', 'http://169.254.169.254/latest', 'ftp://example.com'])(
    'cannot lead into the network: %s',
    async (modelUrl) => {
      const config = { model_url: modelUrl, model_name: 'm', api_key: KEY };
      const refused = { status: 422, body: { errors: [{ field: 'model_url' }] } };
      expect(await admin.post('/admin/configs/create', config)).toMatchObject(refused);
      expect(await change({ model_url: modelUrl, api_key: KEY })).toMatchObject(refused);
    },
  );

  it('shows users neither its URL nor its key in a failure of its provider', async () => {
    const { id } = await ada.createConversation({ title: 'Shared' });
    const { host, hostname } = new URL(t.provider.url);
    t.provider.willAnswer(401, {
      error: { message: `Key ${KEY} is unknown at http://${host}/v1/ (${hostname})` },
    });
    const { status, body } = await ada.send(id, 'Hi');
    const seen = JSON.stringify([body, await ada.history(id)]);

    expect([status, body.code]).toEqual([502, 'upstream_auth']);
    expect(seen).not.toContain(hostname);
    expect(seen).not.toContain(KEY);
    expect(seen).toContain('is unknown at');
  });

  it('changes no user’s requests for what the provider refused another', async () => {
    const system_prompt = 'Speak French.';
    // A provider quotes what it refuses: here, words that could refuse a system prompt.
    t.provider.refuse = ({ response_format: format }) =>
      format
        ? [400, { error: { message: "Invalid schema for response_format 'system message'" } }]
        : undefined;
    const eve = await t.user().create();
    const response_format = { type: 'json_schema', json_schema: { name: 'system message' } };
    const hers = await eve.createConversation({ system_prompt, params: { response_format } });
    expect((await eve.send(hers.id, 'Hi')).status).toBe(200);
    t.provider.refuse = undefined;
    const { id } = await ada.createConversation({ title: 'Shared', system_prompt });

    await ada.send(id, 'Hi');

    expect(t.provider.chats.at(-1)!.body.messages).toEqual([
      { role: 'system', content: system_prompt },
      { role: 'user', content: 'Hi' },
    ]);
  });

  it('is tested by administrators', async () => {
    expect((await admin.post<Thing>(`/admin/configs/${model.id}/test`)).body).toMatchObject({ ok: true });
    const own = await t.user().withConfig(t.provider).create();
    for (const call of ['update', 'delete', 'test'])
      expect(
        (await admin.post(`/admin/configs/${own.configId}/${call}`, call === 'update' ? {} : undefined))
          .status,
      ).toBe(404);
  });

  it('asks an administrator, not the user, for a key that cannot be read', async () => {
    const foreign = `${'A'.repeat(100)}==`;
    await t.manager.update(ModelConfig, { id: model.id }, { encryptedApiKey: foreign });
    const { id } = await ada.createConversation({ title: 'Shared' });
    const refused = {
      status: 409,
      body: { code: 'key_unreadable', detail: expect.stringContaining('an administrator has to send') },
    };

    expect(await ada.send(id, 'Hi')).toMatchObject(refused);
    expect(await admin.post(`/admin/configs/${model.id}/test`)).toMatchObject(refused);
    expect((await configsOf(ada))[0]).toMatchObject({ key_status: 'unreadable' });
    expect((await change({ api_key: KEY })).body.key_status).toBe('ok');
    expect((await ada.send(id, 'Hi')).status).toBe(200);
  });

  it('is announced to everyone connected, each with the own list', async () => {
    const bob = await t.user().withConfig(t.provider).create();
    const sockets = [ada.socket(), bob.socket()];
    await Promise.all(sockets.map(({ connected }) => connected));
    await change({ name: 'Renamed' });

    const lists = await Promise.all(
      sockets.map(async (socket) => {
        const event = await socket.until(({ type }) => type === 'config.changed');
        return (event.configs as Thing[]).map(({ id, name }) => [id, name]);
      }),
    );
    expect(lists[0]).toEqual([[model.id, 'Renamed']]);
    expect(lists[1]).toEqual([
      [bob.configId, 'test-model'],
      [model.id, 'Renamed'],
    ]);
  });

  it.each([
    [{ daily_tokens_per_user: 0 }, 'daily_tokens_per_user'],
    [{ daily_tokens_per_user: 1.5 }, 'daily_tokens_per_user'],
    [{ enabled: 'yes' }, 'enabled'],
    [{ user_id: 1 }, 'user_id'],
  ])('refuses %j with 422', async (changes, field) => {
    const { status, body } = await change(changes);
    expect([status, (body.errors as Thing[]).map((error) => error.field)]).toEqual([422, [field]]);
  });
});
