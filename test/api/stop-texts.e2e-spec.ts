import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';

let t: TestApp;
beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t?.stop());

describe('params.stop', () => {
  it('is stored and returned as a list where it was sent as one text', async () => {
    const ada = await t
      .user()
      .withConfig(t.provider, { params: { stop: 'END' } })
      .create();
    const { id, params } = await ada.createConversation({ params: { stop: '\n' } });
    const config = await ada.get<{ configs: { params: unknown }[] }>('/auth/config');

    expect(params).toEqual({ stop: ['\n'] });
    expect(config.body.configs[0]!.params).toEqual({ stop: ['END'] });
    const [stored] = await t.manager.query<{ params: string }[]>(
      'SELECT params FROM conversations WHERE id = ?',
      [id],
    );
    expect(JSON.parse(stored!.params)).toEqual({ stop: ['\n'] });
    await ada.send(id, 'Hi');
    expect(t.provider.chats.at(-1)!.body).toMatchObject({ stop: ['\n'] });
  });

  it('is returned as a list where one text was stored', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    const old = JSON.stringify({ stop: 'END', seed: 1 });
    await t.manager.query('UPDATE conversations SET params = ? WHERE id = ?', [old, id]);
    await t.manager.query('UPDATE model_configs SET params = ? WHERE id = ?', [old, ada.configId]);
    const list = { stop: ['END'], seed: 1 };

    expect((await ada.get(`/conversations/${id}`)).body.params).toEqual(list);
    const exported = await ada.get<{ configs: unknown[]; conversations: unknown[] }>('/auth/me/export');
    expect(exported.body).toMatchObject({ configs: [{ params: list }], conversations: [{ params: list }] });
  });

  it.each([[''], [[]], [['a', 'b', 'c', 'd', 'e']], [1]])('refuses %j', async (stop) => {
    const ada = await t.user().create();
    const { status, body } = await ada.post('/conversations/create', { params: { stop } });

    expect([status, body.errors]).toEqual([422, [expect.objectContaining({ field: 'params.stop' })]]);
  });

  it('is unset by null', async () => {
    const ada = await t
      .user()
      .withConfig(t.provider, { params: { stop: 'END' } })
      .create();
    const { id, params } = await ada.createConversation({ params: { stop: null } });
    await ada.send(id, 'Hi');

    expect(params).toEqual({ stop: null });
    expect(t.provider.chats.at(-1)!.body).not.toHaveProperty('stop');
  });
});
