import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConversationStore, Parley } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdkFor, settled, watchedFetch } from '../support/clients/sdk.js';
import { until } from '../support/infrastructure/until.js';
import { gate } from '../support/provider/provider.js';

describe('@parley/client, after a change of user during a request,', () => {
  let t: TestApp;
  let ada: TestUser;
  let grace: TestUser;
  let watched: ReturnType<typeof watchedFetch>;
  let parley: Parley;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t.stop());
  beforeEach(async () => {
    grace = await t.user().create();
    watched = watchedFetch();
    parley = await sdkFor(t, ada, { fetch: watched.fetch });
  });

  const titles = () => parley.conversations.getSnapshot().conversations.map(({ title }) => title);

  async function signInAs(user: TestUser): Promise<void> {
    await parley.auth.logout();
    await parley.auth.login({ email: user.email, password: user.password });
  }

  it.each([true, false])('lists nothing of the user before; observed: %s', async (isObserved) => {
    await ada.createConversation({ title: 'Ada’s' });
    await grace.createConversation({ title: 'Grace’s' });
    const held = watched.hold('GET', '/conversations');
    if (isObserved) parley.conversations.subscribe(() => undefined);
    const reading = isObserved ? Promise.resolve() : parley.conversations.refresh();
    await until(held.arrived);
    await signInAs(grace);
    const seen = new Set<string | null>();
    parley.conversations.subscribe(() => titles().forEach((title) => seen.add(title)));
    held.open();
    await reading;
    await settled(parley.conversations, () => titles().length > 0);
    await parley.conversations.refresh();

    expect([...seen]).toEqual(['Grace’s']);
  });

  it('lists nothing that the user before created', async () => {
    const held = watched.hold('POST', '/conversations/create');
    const creating = parley.conversations.create({ title: 'Ada’s' });
    await until(held.arrived);
    await signInAs(grace);
    await parley.conversations.refresh();
    held.open();
    await creating;

    expect(titles()).toEqual([]);
  });

  it('loads no more pages of the list of the user before', async () => {
    const user = await t.user().create();
    for (let n = 0; n < 21; n++) await user.createConversation();
    const own = await sdkFor(t, user);
    await own.conversations.refresh();
    expect(own.conversations.getSnapshot().hasMore).toBe(true);
    await own.auth.logout();
    await own.auth.login({ email: ada.email, password: ada.password });
    await own.conversations.loadMore();

    expect(own.conversations.getSnapshot()).toMatchObject({ status: 'idle', conversations: [] });
  });

  it.each<[string, string, string, (conversation: ConversationStore) => Promise<void>]>([
    ['loadEarlier', 'GET', '', (conversation) => conversation.loadEarlier()],
    [
      'activate',
      'POST',
      '/messages/:id/activate',
      (conversation) => conversation.activate(conversation.getSnapshot().messages[0]!.id!),
    ],
    ['stop', 'POST', '/stop', (conversation) => conversation.stop()],
  ])('shows nothing of a conversation of the user before: %s', async (name, method, path, call) => {
    const { id } = await ada.createConversation();
    for (let n = 0; n < 30; n++) await ada.send(id, 'Ada’s');
    const end = gate();
    if (name === 'stop') t.provider.willStream('Running', end);
    const last = ada.send(id, 'Ada’s');
    if (name !== 'stop') await last;
    const conversation = parley.conversation(id);
    const unsubscribe = conversation.subscribe(() => undefined);
    await settled(
      conversation,
      ({ status, running }) => status === 'ready' && (running !== null) === (name === 'stop'),
    );
    unsubscribe();
    const messageId = conversation.getSnapshot().messages[0]!.id!;
    const held = watched.hold(method, `/conversations/${id}${path.replace(':id', String(messageId))}`);
    const calling = call(conversation);
    await until(held.arrived);
    await signInAs(grace);
    held.open();
    await calling;
    end.open();
    await last;

    expect(conversation.getSnapshot()).toMatchObject({ messages: [], status: 'idle', running: null });
  });
});
