import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ConversationStore, Parley } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdkFor, settled } from '../support/clients/sdk.js';
import { cut, gate, reasoning } from '../support/provider/provider.js';

describe('a conversation of @parley/client', () => {
  let t: TestApp;
  let ada: TestUser;
  let parley: Parley;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
    parley = await sdkFor(t, ada);
  });
  afterAll(() => t.stop());

  const create = async (client = parley): Promise<ConversationStore> => {
    const { id } = await client.conversations.create();
    return client.conversation(id);
  };
  const contents = (conversation: ConversationStore) =>
    conversation.getSnapshot().messages.map(({ content }) => content);

  it('streams a reply to a script', async () => {
    const conversation = await create();
    t.provider.willStream('Hel', 'lo ', '👋🏽', '!');
    const pieces: string[] = [];

    const reply = conversation.send('Hi');
    for await (const text of reply) pieces.push(text);

    expect(pieces.join('')).toBe('Hello 👋🏽!');
    expect(await reply.done).toMatchObject({ content: 'Hello 👋🏽!', status: 'complete', id: reply.id });
    expect((await reply.accepted).user_message.content).toBe('Hi');
    expect(contents(conversation)).toEqual(['Hi', 'Hello 👋🏽!']);
    expect(await ada.history(conversation.id)).toMatchObject([{ content: 'Hi' }, { content: 'Hello 👋🏽!' }]);
  });

  it('shows a message at once, under a key that stays', async () => {
    const conversation = await create();
    conversation.subscribe(() => undefined);
    const reply = conversation.send('Hi');
    const [shown] = conversation.getSnapshot().messages;
    expect(shown).toMatchObject({ content: 'Hi', role: 'user', status: 'sending', id: null });

    await reply.done;

    const [stored, answer] = conversation.getSnapshot().messages;
    expect(stored).toMatchObject({ key: shown!.key, status: 'complete', id: expect.any(Number) });
    expect(answer).toMatchObject({ key: String(answer!.id), status: 'complete' });
  });

  it('keeps unchanged messages, and the snapshot, the same objects', async () => {
    const conversation = await create();
    await conversation.send('One').done;
    const before = conversation.getSnapshot();
    expect(conversation.getSnapshot()).toBe(before);
    const notified: number[] = [];
    conversation.subscribe(() => notified.push(conversation.getSnapshot().messages.length));

    await conversation.send('Two').done;

    const after = conversation.getSnapshot();
    expect(after.messages.slice(0, 2).map((each, n) => each === before.messages[n])).toEqual([true, true]);
    expect(notified.length).toBeGreaterThan(3);
  });

  it('follows what another device does, from the middle of a reply', async () => {
    const other = await sdkFor(t, ada);
    const conversation = await create();
    const [middle, end] = [gate(), gate()];
    t.provider.willStream(reasoning('Hm.'), 'One ', middle, 'two ', end, 'three');
    const reply = conversation.send('Count');
    await settled(conversation, ({ running }) => running?.content === 'One ');
    const watching = other.conversation(conversation.id);
    watching.subscribe(() => undefined);
    await settled(watching, ({ running }) => running?.content === 'One ');
    expect(watching.getSnapshot().status).toBe('ready');

    middle.open();
    await settled(watching, ({ running }) => running?.content === 'One two ');
    end.open();
    await reply.done;

    await settled(watching, ({ running }) => running === null);
    expect(watching.getSnapshot()).toEqual(conversation.getSnapshot());
    expect(watching.getSnapshot().messages[1]).toMatchObject({ content: 'One two three', reasoning: 'Hm.' });
  });

  it('stops a reply, and stopping when none runs does nothing', async () => {
    const conversation = await create();
    const never = gate();
    t.provider.willStream('So far', never, ' and on');
    const reply = conversation.send('Talk');
    await settled(conversation, ({ running }) => running?.content === 'So far');

    await conversation.stop();
    await conversation.stop();

    expect(await reply.done).toMatchObject({ content: 'So far', status: 'stopped' });
  });

  it('resolves with a reply that failed midway', async () => {
    const conversation = await create();
    t.provider.willStream('Par', cut());
    const reply = conversation.send('Hi');
    const pieces: string[] = [];
    for await (const text of reply) pieces.push(text);

    expect(await reply.done).toMatchObject({ content: 'Par', status: 'failed' });
    expect(pieces.join('')).toBe('Par');
  });

  it('regenerates, edits, and shows any branch again', async () => {
    const conversation = await create();
    t.provider.willStream('first').willStream('second').willStream('third');
    const first = await conversation.send('Q').done;
    const second = await conversation.regenerate().done;
    expect(contents(conversation)).toEqual(['Q', 'second']);
    const [question] = conversation.getSnapshot().messages;

    const third = await conversation.edit(question!.id!, 'Q2').done;

    expect(contents(conversation)).toEqual(['Q2', 'third']);
    expect(second.sibling_ids).toEqual([first.id, second.id]);
    await conversation.activate(first.id);
    expect(contents(conversation)).toEqual(['Q', 'first']);
    await conversation.activate(third.id);
    await settled(conversation, ({ messages }) => messages[0]?.content === 'Q2');
    expect(contents(conversation)).toEqual(
      (await ada.history(conversation.id)).map(({ content }) => content),
    );
  });

  it('shows the branch that another device has chosen', async () => {
    const conversation = await create();
    conversation.subscribe(() => undefined);
    const first = await conversation.send('Q').done;
    t.provider.willStream('second');
    await conversation.regenerate().done;

    await ada.post(`/conversations/${conversation.id}/messages/${first.id}/activate`);

    await settled(conversation, ({ messages }) => messages.at(-1)?.id === first.id);
  });

  it('loads earlier messages', async () => {
    const { id } = await ada.createConversation();
    for (let n = 0; n < 30; n++) await ada.send(id, `Message ${n}`);
    const conversation = parley.conversation(id);
    conversation.subscribe(() => undefined);
    await settled(conversation, ({ status }) => status === 'ready');
    expect(conversation.getSnapshot()).toMatchObject({ hasMore: true });
    expect(conversation.getSnapshot().messages).toHaveLength(50);

    await Promise.all([conversation.loadEarlier(), conversation.loadEarlier()]);

    const { messages, hasMore } = conversation.getSnapshot();
    expect([messages.length, hasMore]).toEqual([60, false]);
    expect(messages.map((each) => each.id)).toEqual((await ada.history(id)).map((each) => each.id));
  });

  it('shows a message that the server refuses, to send it again or remove it', async () => {
    const lonely = await t.user().create();
    const client = await sdkFor(t, lonely);
    const conversation = await create(client);
    const reply = conversation.send('Hi');
    await expect(reply.done).rejects.toMatchObject({
      name: 'ParleyError',
      code: 'no_model_config',
      status: 409,
    });
    const { messages } = conversation.getSnapshot();
    expect(messages).toMatchObject([
      { content: 'Hi', status: 'rejected', failure: { code: 'no_model_config' } },
    ]);
    const blank = conversation.send(' ');
    await expect(blank.done).rejects.toMatchObject({
      code: 'validation_failed',
      errors: [{ field: 'content' }],
    });
    conversation.remove(conversation.getSnapshot().messages[1]!.key);
    const config = { model_url: t.provider.url, model_name: 'test-model', api_key: 'k' };
    await client.rest.createConfig({ body: config });

    await conversation.retry(messages[0]!.key)!.done;

    expect(contents(conversation)).toEqual(['Hi', 'Hello from the model.']);
  });

  it('sends messages in their order, one reply after the other', async () => {
    const conversation = await create();
    t.provider.willStream('1').willStream('2').willStream('3');

    const replies = ['A', 'B', 'C'].map((content) => conversation.send(content).done);
    await Promise.all(replies);

    expect(contents(conversation)).toEqual(['A', '1', 'B', '2', 'C', '3']);
    expect(await ada.history(conversation.id)).toHaveLength(6);
  });

  it('waits for a reply of another device before it sends', async () => {
    const conversation = await create();
    const end = gate();
    t.provider.willStream('Their ', end, 'reply').willStream('Ours');
    const requests = t.provider.chats.length;
    const theirs = ada.send(conversation.id, 'First');
    await t.provider.waitForRequests(requests + 1);

    const reply = conversation.send('Second');
    setTimeout(end.open, 300);

    expect(await reply.done).toMatchObject({ content: 'Ours' });
    await theirs;
    expect(contents(conversation)).toEqual(['First', 'Their reply', 'Second', 'Ours']);
  });

  it('says when a conversation is missing or deleted', async () => {
    const missing = parley.conversation(987_654);
    missing.subscribe(() => undefined);
    await settled(missing, ({ status }) => status === 'failed');
    expect(missing.getSnapshot().error).toMatchObject({ code: 'not_found' });
    const conversation = await create();
    const never = gate();
    t.provider.willStream('x', never);
    const reply = conversation.send('Hi');
    await settled(conversation, ({ running }) => running?.content === 'x');

    await parley.conversations.delete(conversation.id);

    await settled(conversation, ({ status }) => status === 'deleted');
    await reply.done.catch(() => undefined);
    expect(conversation.getSnapshot().error).toMatchObject({
      ...{ code: 'not_found', message: 'The conversation was deleted.', status: 404 },
    });
    await expect(conversation.send('More').done).rejects.toMatchObject({ code: 'not_found' });
  });

  it('forgets everything at logout', async () => {
    const client = await sdkFor(t, ada);
    const conversation = await create(client);
    await conversation.send('Secret').done;
    const never = gate();
    t.provider.willStream('x', never);
    const reply = conversation.send('More');
    await settled(conversation, ({ running }) => running !== null);

    await client.auth.logout();

    await expect(reply.done).rejects.toMatchObject({
      ...{ code: 'signed_out', message: 'Nobody is signed in.', status: 401 },
    });
    expect(conversation.getSnapshot()).toMatchObject({ messages: [], conversation: null });
    expect(client.status.getSnapshot()).toBe('offline');
  });
});
