import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { StoredFile } from '../../src/files/file.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import { gate } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());

interface ExportDocument {
  identities: Thing[];
  exported_at: string;
  user: Thing;
  sessions: Thing[];
  configs: Thing[];
  files: Thing[];
  conversations: (Thing & { messages: Thing[] })[];
}

const exportOf = (user: TestUser) => user.get<ExportDocument>('/auth/me/export');

/** Messages of a conversation, every third of them off the active branch. */
async function plantMessages(
  user: TestUser,
  conversationId: number,
  count: number,
  contentOf = (i: number) => `Message ${i} 😀 "quoted"\n`,
): Promise<void> {
  const messages = Array.from({ length: count }, (_, i) => ({
    conversationId,
    userId: user.id,
    parentId: null,
    active: i % 3 > 0,
    role: 'user' as const,
    content: contentOf(i),
    reasoning: '',
    status: 'complete' as const,
    attempt: 1,
    createdAt: new Date(),
  }));
  await t.app.get(DataSource).getRepository(Message).insert(messages);
}

describe('GET /auth/me/export', () => {
  it('returns everything the user owns, in the same shape as the other endpoints', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const other = await ada.signInAgain();
    const first = await ada.createConversation({ title: 'First' });
    const second = await ada.createConversation({ title: 'Second', system_prompt: 'Answer in verse.' });
    t.provider.willStream('Hello', ' there');
    await ada.send(first.id, 'Hi');

    const { status, headers, body } = await exportOf(ada);

    expect(status).toBe(200);
    expect(headers.get('Content-Type')).toMatch(/^application\/json/);
    expect(headers.get('Content-Disposition')).toBe('attachment; filename=parley-export.json');
    expect(Object.keys(body)).toEqual([
      'exported_at',
      'user',
      'sessions',
      'identities',
      'configs',
      'files',
      'conversations',
    ]);
    expect(body.user).toEqual((await ada.get('/auth/me')).body);
    expect(body.sessions).toEqual((await ada.get('/auth/sessions')).body.sessions);
    expect(body.sessions).toHaveLength(2);
    expect(body.identities).toEqual([]);
    expect(body.configs).toEqual((await ada.get('/auth/config')).body.configs);
    const { has_more, ...page } = (await ada.get(`/conversations/${first.id}`)).body;
    expect(has_more).toBe(false);
    expect(body.conversations).toEqual([page, expect.objectContaining({ id: second.id, messages: [] })]);
    expect((await other.get('/auth/me')).status).toBe(200);
  });

  it('contains no secret', async () => {
    const key = 'sk-planted-key-0123456789';
    const ada = await t.user().withConfig(t.provider, { api_key: key }).create();
    const text = JSON.stringify((await exportOf(ada)).body);

    for (const secret of [
      key,
      ada.password,
      '$argon2',
      ada.tokens.refresh_token,
      'gAAAA',
      'hash',
      'token_',
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it('contains nothing of another user', async () => {
    const [ada, bob] = [await t.user().withConfig(t.provider).create(), await t.user().create()];
    await ada.createConversation({ title: 'Private' });

    expect((await exportOf(bob)).body).toMatchObject({
      user: { id: bob.id },
      sessions: [{ current: true }],
      configs: [],
      conversations: [],
    });
  });

  it('contains the messages of all branches, each once, oldest first, over many pages', async () => {
    const ada = await t.user().create();
    const conversations = [];
    for (let i = 0; i < 3; i++) conversations.push(await ada.createConversation());
    await plantMessages(ada, conversations[0]!.id, 173);
    await plantMessages(ada, conversations[2]!.id, 50);

    const { body } = await exportOf(ada);

    expect(body.conversations.map(({ messages }) => messages.length)).toEqual([173, 0, 50]);
    body.conversations[0]!.messages.forEach(({ content }, i) =>
      expect(content).toBe(`Message ${i} 😀 "quoted"\n`),
    );
  });

  it('contains all conversations, over many pages', async () => {
    const ada = await t.user().create();
    const made: number[] = [];
    for (let i = 0; i < 101; i++) made.push((await ada.createConversation()).id);

    expect((await exportOf(ada)).body.conversations.map(({ id }) => id)).toEqual(made);
  });

  it('lists the files that are not deleted, over many pages', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const kept = await ada.upload('kept');
    const deleted = await ada.upload('deleted');
    const chat = await ada.createConversation({ title: 'Files' });
    // Its row stays, because a message names it.
    await ada.send(chat.id, 'Hi', { file_ids: [deleted.id] });
    await ada.post(`/files/${deleted.id}/delete`);
    const repository = t.app.get(DataSource).getRepository(StoredFile);
    const { id: _, ...row } = await repository.findOneByOrFail({ id: kept.id });
    await repository.insert(Array.from({ length: 450 }, () => ({ ...row })));

    const { files } = (await exportOf(ada)).body;

    expect(files).toHaveLength(451);
    expect(new Set(files.map(({ id }) => id)).size).toBe(451);
    const newest = (await ada.get<{ files: Thing[] }>('/files?limit=100')).body.files;
    // Links change every five minutes.
    const withoutUrl = (file: Thing) => ({ ...file, url: null });
    expect(files.slice(-100).reverse().map(withoutUrl)).toEqual(newest.map(withoutUrl));
    expect((await fetch(t.url + String(files[0]!.url))).status).toBe(200);
  });

  it('contains the text so far of a running reply', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    const hold = gate();
    t.provider.willStream('Half', hold, ' and the rest');
    const socket = ada.socket();
    const { data } = await socket.emit('chat.send', { conversation_id: id, content: 'Hi' });

    const reply = async () => (await exportOf(ada)).body.conversations[0]!.messages[1]!;
    // Its text reaches the database within 250 ms.
    while ((await reply()).content === '') await new Promise(setImmediate);
    expect(await reply()).toMatchObject({
      id: (data.assistant_message as Thing).id,
      status: 'streaming',
      content: 'Half',
    });
    hold.open();
    await socket.until(({ type }) => type === 'message.completed');
  });

  it('is aborted when the client disconnects, and the server stays healthy', async () => {
    const ada = await t.user().create();
    const { id } = await ada.createConversation();
    await plantMessages(ada, id, 500);
    const leaving = new AbortController();
    const response = await ada.fetch('GET', '/auth/me/export', undefined, {}, leaving.signal);
    expect(response.status).toBe(200);
    leaving.abort();

    expect((await exportOf(ada)).body.conversations[0]!.messages).toHaveLength(500);
  });

  it('breaks off when its session ends', async () => {
    const ada = await t.user().create();
    const owner = await ada.signInAgain();
    const { id } = await ada.createConversation();
    // More than the connection buffers, so that most of it is read after the session has ended.
    for (let i = 0; i < 40; i++) await plantMessages(ada, id, 1, () => 'x'.repeat(1024 * 1024));
    const response = await ada.fetch('GET', '/auth/me/export');
    const reader = response.body!.getReader();
    await reader.read();

    expect((await owner.post('/auth/sessions/revoke-others')).status).toBe(204);

    const readAll = async () => {
      while (!(await reader.read()).done);
    };
    await expect(readAll()).rejects.toThrow('terminated');
  });

  it('requires a token', async () => {
    expect((await t.http.get('/auth/me/export')).status).toBe(401);
  });
});
