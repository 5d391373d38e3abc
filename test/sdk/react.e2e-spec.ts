import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createElement, memo, Profiler, type ReactNode, StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import type { ConversationStore, Parley } from '../../sdk/typescript/src/index.js';
import {
  ParleyProvider,
  useAttachments,
  useAuth,
  useConnection,
  useConversation,
  useConversations,
  useConversationSelector,
  useMessage,
  useMessageKeys,
  useUpload,
} from '../../sdk/typescript/src/react/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { openPage } from '../support/clients/react.js';
import { sdk, sdkFor, settled } from '../support/clients/sdk.js';
import { until } from '../support/infrastructure/until.js';
import { gate, type Piece } from '../support/provider/provider.js';

const TOKENS = 40;

describe('@parley/client/react', () => {
  let t: TestApp;
  let ada: TestUser;
  let parley: Parley;
  const page = openPage();
  const warnings = jest.spyOn(console, 'error');

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
    parley = await sdkFor(t, ada);
  });
  afterEach(() => expect(warnings.mock.calls).toEqual([]));
  afterAll(async () => {
    await page.close();
    await t.stop();
  });

  const create = async (client = parley): Promise<ConversationStore> => {
    const { id } = await client.conversations.create();
    return client.conversation(id);
  };
  const within = (client: Parley, ...children: ReactNode[]) =>
    createElement(ParleyProvider, { client }, ...children);

  /** A component that runs a hook. `value` is the hook's last result; `renders` counts. */
  const probe = <T>(useValue: () => T) => {
    const seen = { value: undefined as T, renders: 0 };
    const Probe = () => {
      seen.value = useValue();
      seen.renders++;
      return null;
    };
    return { seen, Probe };
  };

  /** A reply of many tokens, each let through when the one before has been shown. */
  const slowReply = (conversation: ConversationStore) => {
    const gates = Array.from({ length: TOKENS }, gate);
    t.provider.willStream(...gates.flatMap((each, n): Piece[] => [each, `${n} `]));
    const reply = conversation.send('Count');
    const shown = (n: number) =>
      settled(conversation, ({ messages }) => messages.at(-1)?.content.endsWith(`${n} `) ?? false);
    return {
      done: reply.done,
      started: settled(conversation, ({ running }) => running !== null),
      async play() {
        for (const [n, each] of gates.entries()) {
          each.open();
          if (n < TOKENS - 1) await shown(n);
        }
        await reply.done;
      },
    };
  };

  it('shows a conversation and lets a component change it', async () => {
    const conversation = await create();
    const { seen, Probe } = probe(() => useConversation(conversation.id));
    const view = page.render(within(parley, createElement(Probe)));
    await until(() => seen.value?.status === 'ready');

    const { send } = seen.value;
    await send('Hi').done;

    await until(() => seen.value.messages.length === 2 && seen.value.running === null);
    expect(seen.value.messages.map(({ content }) => content)).toEqual(['Hi', 'Hello from the model.']);
    expect(seen.value.send).toBe(send);
    view.unmount();
  });

  it('renders neither list again for the tokens of a reply', async () => {
    const conversation = await create();
    const renders: Record<string, number> = {};
    const counted = (id: string, child: ReactNode) =>
      createElement(Profiler, { id, onRender: (name) => (renders[name] = (renders[name] ?? 0) + 1) }, child);
    const List = () => useConversations().conversations.length;
    const Row = memo(({ id, messageKey }: { id: number; messageKey: string }) => {
      const message = useMessage(id, messageKey);
      renders[`row ${message?.role}`] = (renders[`row ${message?.role}`] ?? 0) + 1;
      return message?.content ?? null;
    });
    const Messages = () => {
      renders.messages = (renders.messages ?? 0) + 1;
      const keys = useMessageKeys(conversation.id);
      return keys.map((messageKey) =>
        createElement(Row, { key: messageKey, id: conversation.id, messageKey }),
      );
    };
    const view = page.render(
      within(parley, counted('conversations', createElement(List)), createElement(Messages)),
    );
    const reply = slowReply(conversation);
    await reply.started;
    await until(() => (renders['row assistant'] ?? 0) > 0);
    const before = { ...renders };

    await reply.play();

    await until(() => view.text().includes(`${TOKENS - 2} `));
    const during = (name: string) => (renders[name] ?? 0) - (before[name] ?? 0);
    expect(during('messages')).toBe(0);
    expect(during('row user')).toBe(0);
    expect(during('row assistant')).toBeGreaterThan(TOKENS / 2);
    // The reply's end moves the conversation up; its title may follow.
    expect(during('conversations')).toBeLessThanOrEqual(3);
    view.unmount();
  });

  it('renders a selection again only when it changes', async () => {
    const conversation = await create();
    const { seen, Probe } = probe(() =>
      useConversationSelector(conversation.id, ({ running }) => ['a new array', running !== null]),
    );
    const view = page.render(within(parley, createElement(Probe)));
    const reply = slowReply(conversation);
    await until(() => seen.value?.[1] === true);
    const before = seen.renders;

    await reply.play();

    await until(() => seen.value[1] === false);
    expect(seen.renders - before).toBe(1);
    view.unmount();
  });

  it('keeps one conversation open for several components, and closes it after the last one', async () => {
    const other = await sdkFor(t, ada);
    const conversation = await create();
    const deltas: string[] = [];
    parley.connection.events.on(({ type, body }) => {
      if (type === 'message.delta' && body.conversation_id === conversation.id) deltas.push(body.text);
    });
    const views = [0, 1].map(() => {
      const { seen, Probe } = probe(() => useConversation(conversation.id));
      return { seen, view: page.render(within(parley, createElement(Probe))) };
    });
    await until(() => views.every(({ seen }) => seen.value?.status === 'ready'));
    expect(views[0]!.seen.value.messages).toBe(views[1]!.seen.value.messages);

    views[0]!.view.unmount();
    await other.conversation(conversation.id).send('Hi').done;
    await until(() => views[1]!.seen.value.messages.at(-1)?.status === 'complete');
    expect(deltas.join('')).toBe('Hello from the model.');

    views[1]!.view.unmount();
    await until(async () => {
      deltas.length = 0;
      await other.conversation(conversation.id).send('Again').done;
      return deltas.length === 0;
    });
  });

  it('stays open through the double mounting of StrictMode', async () => {
    const conversation = await create();
    const { seen, Probe } = probe(() => useConversation(conversation.id));
    const view = page.render(createElement(StrictMode, null, within(parley, createElement(Probe))));
    await until(() => seen.value?.status === 'ready');
    const reply = slowReply(conversation);

    await reply.play();

    await until(() => seen.value.messages.at(-1)?.status === 'complete');
    view.unmount();
  });

  it('follows a changed id', async () => {
    const [one, two] = [await create(), await create()];
    await one.send('To one').done;
    await two.send('To two').done;
    const Shown = ({ id }: { id: number }) => useConversation(id).messages[0]?.content ?? '…';
    const view = page.render(within(parley, createElement(Shown, { id: one.id })));
    await until(() => view.text() === 'To one');

    view.render(within(parley, createElement(Shown, { id: two.id })));

    await until(() => view.text() === 'To two');
    await until(() => !one.isObserved && two.isObserved);
    view.unmount();
  });

  it('shows nothing of a user who has signed out, and the next user after the next login', async () => {
    const bob = await t.user().withConfig(t.provider).create();
    const client = await sdkFor(t, ada);
    const conversation = await create(client);
    await conversation.send('Secret').done;
    const { seen, Probe } = probe(() => ({
      auth: useAuth(),
      list: useConversations(),
      messages: useConversation(conversation.id).messages,
      connection: useConnection(),
    }));
    const view = page.render(within(client, createElement(Probe)));
    await until(() => seen.value?.list.status === 'ready' && seen.value.messages.length === 2);
    expect(seen.value.auth).toMatchObject({ status: 'signed-in', user: { id: ada.id } });
    expect(seen.value.connection).toBe('live');

    await seen.value.auth.logout();

    await until(() => seen.value.auth.status === 'signed-out' && seen.value.messages.length === 0);
    expect(seen.value.list.conversations).toEqual([]);
    await seen.value.auth.login({ email: bob.email, password: bob.password });
    await until(() => seen.value.list.status === 'ready' && seen.value.auth.user?.id === bob.id);
    await until(() => seen.value.connection === 'live');
    expect(seen.value.list.conversations).toEqual([]);
    expect(seen.value.messages).toEqual([]);
    view.unmount();
  });

  it('renders on a server as signed out of everything, and takes over in the browser', async () => {
    const conversation = await create();
    await conversation.send('Hi').done;
    const Shown = () => {
      const [auth, { status }, { messages }] = [
        useAuth(),
        useConversations(),
        useConversation(conversation.id),
      ];
      return `${auth.status} ${status} ${useConnection()} ${messages.length} ${useMessageKeys(conversation.id).length}`;
    };
    const node = within(parley, createElement(Shown));

    const html = renderToString(within(sdk(t), createElement(Shown)));

    expect(html).toBe('loading idle offline 0 0');
    const view = page.render(node, html);
    await until(() => view.text() === 'signed-in ready live 2 2');
    view.unmount();
  });

  it('names the missing provider', () => {
    expect(() => renderToString(createElement(() => useConnection()))).toThrow(
      'Parley hooks must be used within a <ParleyProvider client={…}>.',
    );
  });

  it('uploads the files of the next message, with their progress', async () => {
    const conversation = await create();
    const upload = parley.files.upload({ name: 'early.txt', data: 'early' });
    const { seen, Probe } = probe(useAttachments);
    const { seen: one, Probe: One } = probe(() => useUpload(upload));
    page.render(createElement(StrictMode, null, within(parley, createElement(Probe), createElement(One))));
    await until(() => seen.value !== undefined);
    expect(seen.value).toMatchObject({ uploads: [], status: 'empty' });

    const { add, remove } = seen.value;
    const [, second] = add(upload, { name: 'b.txt', data: 'b' }, { name: 'c.txt', data: 'c' });
    remove(second!);

    await until(() => seen.value.status === 'ready' && one.value.status === 'done');
    expect(seen.value.uploads.map(({ name }) => name)).toEqual(['early.txt', 'c.txt']);
    expect(one.value).toMatchObject({ sent: 5, bytes: 5, file: { name: 'early.txt' } });
    const { user_message } = await conversation.send('', { files: seen.value.take() }).accepted;
    expect(user_message.files.map(({ name }) => name)).toEqual(['early.txt', 'c.txt']);
    await until(() => seen.value.status === 'empty');
  });
});
