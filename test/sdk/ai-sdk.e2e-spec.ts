import { Chat, useChat } from '@ai-sdk/react';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { UIMessageChunk } from 'ai';
import { createElement, StrictMode, useEffect } from 'react';
import {
  ParleyChatTransport,
  type ParleyUIMessage,
  toUIMessages,
} from '../../sdk/typescript/src/ai-sdk/index.js';
import { ParleyError } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { openPage } from '../support/clients/react.js';
import { sdk, sdkFor, sharedStorage } from '../support/clients/sdk.js';
import { TcpProxy } from '../support/infrastructure/tcp-proxy.js';
import { until } from '../support/infrastructure/until.js';
import { cut, gate, raw, reasoning } from '../support/provider/provider.js';

type Options = Parameters<typeof useChat<ParleyUIMessage>>[0];

const CITED = {
  choices: [
    {
      delta: {
        annotations: [{ type: 'url_citation', url_citation: { url: 'https://a.example/', title: 'A' } }],
      },
    },
  ],
};

describe('useChat with @parley/client/ai-sdk', () => {
  let t: TestApp;
  let ada: TestUser;
  const page = openPage();

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(async () => {
    await page.close();
    await t.stop();
  });

  /** A page that chats. `reload` opens it again, as a browser does: without unmounting the components. */
  async function openChat({ strict = false, chat: keep = false, baseUrl = t.url } = {}) {
    const storage = sharedStorage();
    const first = await sdkFor(t, ada, { baseUrl, storage, reconnect: { maxMs: 500 } });
    const { id } = await first.conversations.create();
    const mount = (parley = first, options: Partial<Options> = {}) => {
      const transport = new ParleyChatTransport(parley);
      const seen = {
        chat: undefined as unknown as ReturnType<typeof useChat<ParleyUIMessage>>,
        // StrictMode unmounts once, at which useChat stops what was sent before.
        isMounted: false,
      };
      const own = { id: String(id), transport, ...options };
      const shared = keep ? ({ chat: new Chat(own as never) } as Options) : (own as Options);
      const Page = () => {
        seen.chat = useChat(shared);
        useEffect(() => void (seen.isMounted = true));
        return null;
      };
      const node = strict ? createElement(StrictMode, null, createElement(Page)) : createElement(Page);
      const view = page.render(node);
      return { seen, view, transport, parley, node };
    };
    const opened = { ...mount(), id, mount };
    await until(() => opened.seen.isMounted);
    return {
      ...opened,
      text: () => textOf(opened.seen.chat.messages.at(-1)),
      reload: async () => {
        opened.parley.close();
        const parley = sdk(t, { storage });
        const transport = new ParleyChatTransport(parley);
        const messages = await transport.loadMessages(String(id));
        const next = mount(parley, { messages, transport, resume: true });
        await until(() => next.seen.isMounted);
        return { ...next, messages, text: () => textOf(next.seen.chat.messages.at(-1)) };
      },
    };
  }
  const textOf = (message: ParleyUIMessage | undefined) =>
    message?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('') ?? '';

  it('streams reasoning, text and sources, and shows the same after a reload', async () => {
    const { seen, id, reload } = await openChat();
    const middle = gate();
    t.provider.willStream(
      reasoning('Hm, '),
      reasoning('well.'),
      'Hel',
      middle,
      'lo 👋🏽',
      raw(`data: ${JSON.stringify(CITED)}\n\n`),
    );
    const sending = seen.chat.sendMessage({ text: 'Hi' });
    await until(() => textOf(seen.chat.messages.at(-1)) === 'Hel');
    expect(seen.chat.status).toBe('streaming');

    middle.open();
    await sending;

    await until(() => seen.chat.status === 'ready');
    const [, reply] = seen.chat.messages;
    expect(reply!.parts).toEqual([
      { type: 'reasoning', id: 'reasoning', text: 'Hm, well.', state: 'done' },
      { type: 'text', text: 'Hello 👋🏽', state: 'done' },
      { type: 'source-url', sourceId: 'https://a.example/', url: 'https://a.example/', title: 'A' },
    ]);
    expect(reply!.metadata).toMatchObject({ status: 'complete', model_name: 'test-model' });
    const history = await ada.history(id);
    expect(reply!.id).toBe(String(history[1]!.id));
    const { messages } = await reload();
    expect(withoutIds(messages[1]!)).toEqual(withoutIds(reply!));
  });

  it('stops the reply on the server, and keeps its text', async () => {
    const { seen, id, text } = await openChat();
    t.provider.willStream('So far', gate(), ' and on');
    const sending = seen.chat.sendMessage({ text: 'Talk' });
    await until(() => text() === 'So far');

    await seen.chat.stop();

    await sending;
    await until(() => seen.chat.status === 'ready');
    await until(async () => (await ada.history(id))[1]?.status === 'stopped');
    expect(text()).toBe('So far');
    await seen.chat.sendMessage({ text: 'Again' });
    await until(() => text() === 'Hello from the model.');
  });

  it('stops a reply also before it has begun', async () => {
    const { seen, id } = await openChat();
    t.provider.willStream(gate(), 'never');
    const sending = seen.chat.sendMessage({ text: 'Talk' });
    await until(() => seen.chat.status === 'submitted', 10_000, 1);

    await seen.chat.stop();

    await sending;
    expect(seen.chat.error).toBeUndefined();
    await until(async () => (await ada.history(id))[1]?.status === 'stopped');
  });

  it('follows a reply through a lost connection, and stops it once there is one again', async () => {
    const proxy = t.opened(await TcpProxy.start('127.0.0.1', Number(new URL(t.url).port)));
    const baseUrl = `http://127.0.0.1:${proxy.port}`;
    const { seen, id, text } = await openChat({ baseUrl });
    const [middle, never] = [gate(), gate()];
    t.provider.willStream('One ', middle, 'two ', never, 'three');
    void seen.chat.sendMessage({ text: 'Count' });
    await until(() => text() === 'One ');

    const mend = await proxy.refuse();
    middle.open();
    await until(async () => (await ada.history(id))[1]?.content === 'One two ');
    expect(text()).toBe('One ');
    await mend();
    await until(() => text() === 'One two ');

    const mendAgain = await proxy.refuse();
    await seen.chat.stop();
    await mendAgain();
    await until(async () => (await ada.history(id))[1]?.status === 'stopped');
  });

  it.each([{ strict: false }, { strict: true }])(
    'resumes the running reply after a reload, and then still stops it %j',
    async (options) => {
      const { seen, id, text, reload } = await openChat(options);
      const [middle, never] = [gate(), gate()];
      t.provider.willStream('One ', middle, 'two ', never, 'three');
      void seen.chat.sendMessage({ text: 'Count' });
      await until(() => text() === 'One ');

      const again = await reload();

      expect(again.messages[1]!.metadata?.status).toBe('streaming');
      await until(() => again.seen.chat.status === 'streaming');
      middle.open();
      await until(() => again.text() === 'One two ');
      expect(again.seen.chat.messages).toHaveLength(2);
      await again.seen.chat.stop();
      await until(async () => (await ada.history(id))[1]?.status === 'stopped');
      expect(again.text()).toBe('One two ');
      expect(again.seen.chat.status).toBe('ready');
    },
  );

  it('shows the whole reply when it ends between loading and resuming', async () => {
    const { seen, text, id, parley } = await openChat();
    const end = gate();
    t.provider.willStream('One ', end, 'two');
    void seen.chat.sendMessage({ text: 'Count' });
    await until(() => text() === 'One ');
    const transport = new ParleyChatTransport(parley);
    expect(textOf((await transport.loadMessages(String(id))).at(-1))).toBe('One ');
    end.open();
    await until(() => text() === 'One two');
    await until(() => seen.chat.status === 'ready');

    const chunks: UIMessageChunk[] = [];
    const stream = await transport.reconnectToStream({ chatId: String(id) });
    for await (const chunk of stream!) chunks.push(chunk);

    expect(chunks.map(({ type }) => type)).toEqual([
      'start',
      'text-start',
      'text-delta',
      'text-end',
      'finish',
    ]);
    expect(await transport.reconnectToStream({ chatId: String(id) })).toBeNull();
  });

  it('resumes nothing when no reply runs', async () => {
    const { seen, reload, text } = await openChat();
    await seen.chat.sendMessage({ text: 'Hi' });
    await until(() => text() === 'Hello from the model.');

    const again = await reload();

    await again.seen.chat.resumeStream();
    expect(again.seen.chat.status).toBe('ready');
    expect(again.seen.chat.messages).toEqual(again.messages);
  });

  it('lets the reply go on when a component with a Chat of its own unmounts', async () => {
    const { seen, view, id, text, node } = await openChat({ chat: true });
    const end = gate();
    t.provider.willStream('One ', end, 'two');
    void seen.chat.sendMessage({ text: 'Count' });
    await until(() => text() === 'One ');

    view.unmount();
    end.open();
    await until(async () => (await ada.history(id))[1]?.status === 'complete');

    page.render(node);
    await until(() => text() === 'One two');
  });

  it('regenerates the last reply and an earlier one, and edits a message', async () => {
    const { seen, text, id } = await openChat();
    t.provider.willStream('first').willStream('second').willStream('third').willStream('fourth');
    await seen.chat.sendMessage({ text: 'Q' });
    await seen.chat.regenerate();
    await until(() => text() === 'second');
    const [question, answer] = seen.chat.messages;
    expect(answer!.metadata!.sibling_ids).toHaveLength(2);
    await seen.chat.sendMessage({ text: 'More' });
    await until(() => text() === 'third');

    await seen.chat.regenerate({ messageId: answer!.id });

    await until(() => text() === 'fourth');
    expect(await contents(id)).toEqual(['Q', 'fourth']);
    await seen.chat.sendMessage({ text: 'Q2', messageId: question!.id });
    await until(() => text() === 'Hello from the model.');
    expect(await contents(id)).toEqual(['Q2', 'Hello from the model.']);
    await seen.chat.regenerate({ messageId: question!.id });
    expect((await ada.history(id))[1]!.sibling_ids).toHaveLength(2);
  });

  it('edits and regenerates messages that were loaded', async () => {
    const { seen, id, reload } = await openChat();
    await seen.chat.sendMessage({ text: 'Q' });
    const { seen: again, messages } = await reload();
    t.provider.willStream('second').willStream('third');

    await again.chat.regenerate();
    expect(await contents(id)).toEqual(['Q', 'second']);
    await again.chat.sendMessage({ text: 'Q2', messageId: messages[0]!.id });

    expect(await contents(id)).toEqual(['Q2', 'third']);
  });

  it("shows a provider's failure as the chat's error and as a part, and tries again", async () => {
    const { seen, text, reload } = await openChat();
    t.provider.willStream('Par', cut());
    await seen.chat.sendMessage({ text: 'Hi' });

    await until(() => seen.chat.status === 'error');
    const failed = seen.chat.messages.at(-1)!;
    const [, part] = failed.parts;
    expect(part).toEqual({
      type: 'data-error',
      data: { code: 'upstream_bad_response', detail: seen.chat.error!.message },
    });
    expect(failed).toMatchObject({ parts: [{ text: 'Par' }, {}], metadata: { status: 'failed' } });
    const { messages } = await reload();
    expect(withoutIds(messages[1]!)).toEqual(withoutIds(failed));
    const again = await reload();
    await again.seen.chat.regenerate();
    await until(() => again.text() === 'Hello from the model.');
    expect(text()).toBe('Par');
  });

  it('shows why the server refused a message, and sends it when it is tried again', async () => {
    const { seen, id, text } = await openChat();
    await seen.chat.sendMessage({ text: ' ' });

    await until(() => seen.chat.status === 'error');
    expect(seen.chat.error).toBeInstanceOf(ParleyError);
    expect(seen.chat.error).toMatchObject({ code: 'validation_failed', errors: [{ field: 'content' }] });
    seen.chat.setMessages((messages) =>
      messages.map((each) => ({ ...each, parts: [{ type: 'text', text: 'Hi' }] })),
    );
    await seen.chat.regenerate();
    await until(() => text() === 'Hello from the model.');
    expect(await contents(id)).toEqual(['Hi', 'Hello from the model.']);
  });

  it('takes a configuration for one message', async () => {
    const { seen, id } = await openChat();
    await seen.chat.sendMessage({ text: 'Hi' }, { body: { config_id: 987_654 } });

    await until(() => seen.chat.status === 'error');
    expect(seen.chat.error).toMatchObject({ errors: [{ field: 'config_id' }] });
    expect(await ada.history(id)).toEqual([]);
  });

  it('sends file parts, shows them after a reload, and keeps those that an edit has', async () => {
    const { seen, id, reload } = await openChat();
    const part = (filename: string, url: string) =>
      ({ type: 'file', mediaType: 'text/plain', filename, url }) as const;

    await seen.chat.sendMessage({
      text: 'Look',
      files: [part('a.txt', `data:text/plain;base64,${btoa('Aha')}`), part('b.txt', 'data:,B%20b')],
    });

    const [asked] = await ada.history(id);
    expect(asked!.files).toMatchObject([
      { name: 'a.txt', bytes: 3 },
      { name: 'b.txt', bytes: 3 },
    ]);
    const { messages, seen: again } = await reload();
    expect(messages[0]!.parts).toMatchObject([
      { type: 'file', filename: 'a.txt', mediaType: 'text/plain' },
      { type: 'file', filename: 'b.txt' },
      { type: 'text', text: 'Look' },
    ]);
    const [first, second] = messages[0]!.parts as ReturnType<typeof part>[];
    expect(await (await fetch(first!.url)).text()).toBe('Aha');
    await again.chat.sendMessage({ text: 'Only b', files: [second!], messageId: messages[0]!.id });
    const [edited] = await ada.history(id);
    expect(edited).toMatchObject({ content: 'Only b', files: [{ name: 'b.txt' }] });
  });

  it('shows why a file was refused', async () => {
    const { seen } = await openChat();

    await seen.chat.sendMessage({ files: [{ type: 'file', mediaType: 'image/png', url: 'data:,' }] });
    await until(() => seen.chat.error !== undefined);
    expect(seen.chat.error).toMatchObject({ code: 'unreadable_file' });

    await seen.chat.sendMessage({
      files: [{ type: 'file', mediaType: 'image/png', url: 'https://a.example/' }],
    });
    await until(() => seen.chat.error?.message === 'Files are sent as data: or blob: URLs.');
    expect(seen.chat.error).toMatchObject({ code: 'unsupported_file' });
  });

  it.each(['data:text/plain,100%', 'data:text/plain;base64,!', 'blob:https://a.example/revoked'])(
    'says that the file at %s could not be read',
    async (url) => {
      const { seen } = await openChat();

      await seen.chat.sendMessage({ files: [{ type: 'file', mediaType: 'text/plain', url }] });
      await until(() => seen.chat.status === 'error');

      expect(seen.chat.error).toMatchObject({ name: 'ParleyError', code: 'unreadable_file' });
      expect(seen.chat.error!.message).toBe('The file could not be read. Choose it again.');
    },
  );

  it('fails when the user signs out', async () => {
    const { seen, parley, text } = await openChat();
    t.provider.willStream('One ', gate());
    void seen.chat.sendMessage({ text: 'Count' });
    await until(() => text() === 'One ');

    await parley.auth.logout();

    await until(() => seen.chat.status === 'error');
    expect(seen.chat.error).toMatchObject({ code: 'signed_out' });
  });

  it('finds the conversation of a chat that has an id of its own', async () => {
    const parley = await sdkFor(t, ada);
    const { id } = await parley.conversations.create();
    const transport = new ParleyChatTransport(parley, { conversationId: async () => id });
    const seen = { chat: undefined as unknown as ReturnType<typeof useChat<ParleyUIMessage>> };
    page.render(createElement(() => ((seen.chat = useChat({ transport })), null)));
    await until(() => seen.chat !== undefined);

    await seen.chat.sendMessage({ text: 'Hi' });

    expect(await contents(id)).toEqual(['Hi', 'Hello from the model.']);
    const { messages } = parley.conversation(id).getSnapshot();
    expect(toUIMessages(messages).map(({ role }) => role)).toEqual(['user', 'assistant']);
  });

  const contents = async (id: number) => (await ada.history(id)).map(({ content }) => content);
});

/** Live reasoning parts have an id of their stream. */
function withoutIds({ parts, ...message }: ParleyUIMessage) {
  return { ...message, parts: parts.map((part) => ({ ...part, id: undefined })) };
}
