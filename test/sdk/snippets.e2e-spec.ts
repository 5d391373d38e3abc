/** The snippets of docs/clients.md in TypeScript, as they are printed. `.ci/snippets.mjs` runs the others. */
import { useChat } from '@ai-sdk/react';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { transformSync } from '@swc/core';
import { readFileSync } from 'node:fs';
import { createElement, Fragment } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { ParleyChatTransport } from '../../sdk/typescript/src/ai-sdk/index.js';
import { createParley, type Parley, type Reply, Retries } from '../../sdk/typescript/src/index.js';
import { ParleyProvider, useConversation } from '../../sdk/typescript/src/react/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { conversationCalls } from '../support/clients/conversations.js';
import type { Thing } from '../support/clients/http.js';
import { openPage } from '../support/clients/react.js';
import { sdkFor, sharedStorage, watchedFetch } from '../support/clients/sdk.js';
import { until } from '../support/infrastructure/until.js';
import { gate } from '../support/provider/provider.js';

const sections = readFileSync('docs/clients.md', 'utf8').split(/^##+ /m);
const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor;

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

/** Runs a snippet with the names that it imports, or takes from the page. */
function run(title: string, names: Record<string, unknown>, result = ''): Promise<unknown> {
  const section = sections.find((each) => each.startsWith(`${title}\n`))!;
  const [, snippet = ''] = /^```\w+\n([^]*?)^```$/m.exec(section)!;
  const code = snippet
    .replace(/^import .*$/gm, '')
    .replace('http://127.0.0.1:3000', t.url)
    .replace('ada@example.com', ada.email)
    .replace("'correct horse battery'", JSON.stringify(ada.password));
  const { code: script } = transformSync(code, {
    jsc: { target: 'es2023', parser: { syntax: 'typescript', tsx: true } },
  });
  return new AsyncFunction(...Object.keys(names), script + result)(...Object.values(names));
}

describe('docs/clients.md', () => {
  it('streams a reply into a page', async () => {
    t.provider.willStream('Hel', 'lo ', '👋🏽', '!');
    const shown: string[] = [];
    const document = { body: { append: (text: string) => shown.push(text) } };

    const result = await run('Web', { createParley, document }, '\nreturn { status, usage };');

    expect(shown.join('')).toBe('Hello 👋🏽!');
    expect(result).toEqual({
      status: 'complete',
      usage: expect.objectContaining({ total_tokens: expect.any(Number) }),
    });
  });

  it('sends the first message of a chat once, to a conversation that is created when the server is back', async () => {
    const watched = watchedFetch();
    const parley = await sdkFor(t, ada, { fetch: watched.fetch });
    let attempts = 0;
    watched.before = (path) => {
      if (path.endsWith('/create') && ++attempts === 1) throw new TypeError('no route');
      return undefined;
    };
    watched.after = (path) => {
      if (path.endsWith('/create') && attempts === 2) throw new TypeError('The answer is lost.');
    };
    t.provider.willStream('Welcome');
    const title = 'The first message of a chat';
    const start = (await run(title, { parley, Retries }, '\nreturn startChat;')) as (
      text: string,
    ) => Promise<Reply>;

    const reply = await start('A first message').then(({ done }) => done);

    expect(reply.content).toBe('Welcome');
    expect(attempts).toBe(3);
    const { results } = await conversationCalls(() => ada).search('?q=A%20first%20message');
    expect(results.map(({ conversation }) => conversation.id)).toEqual([reply.conversation_id]);
    watched.before = () =>
      Response.json({ code: 'unauthenticated', status: 401, detail: 'No.' }, { status: 401 });
    await expect(start('Refused')).rejects.toMatchObject({ status: 401 });
  });

  describe.each([
    ['React', { ParleyProvider, useConversation }],
    ['`useChat` of the AI SDK', { ParleyChatTransport, useChat }],
  ])('%s', (title, imports) => {
    const opened: (Parley | Root)[] = [];
    afterEach(() => opened.forEach((each) => ('close' in each ? each.close() : each.unmount())));
    const kept = <T extends Parley | Root>(each: T): T => (opened.push(each), each);

    it('streams a reply into a component, with a button that stops it', async () => {
      const rest = gate();
      t.provider.willStream('Hello ', '👋🏽', rest, 'never sent');
      const root = page.clear('root');
      const button = (name: string) =>
        [...root.querySelectorAll('button')].find(({ textContent }) => textContent === name);
      await run(title, {
        ...imports,
        React: { createElement, Fragment },
        localStorage: sharedStorage(),
        createParley: (options: Parameters<typeof createParley>[0]) => kept(createParley(options)),
        createRoot: (...args: Parameters<typeof createRoot>) => kept(createRoot(...args)),
        document: page.document,
      });
      await until(() => button('Hello') !== undefined);

      button('Hello')!.click();

      await until(() => root.textContent.includes('Hello!Hello 👋🏽'));
      await until(() => button('Stop') !== undefined);
      button('Stop')!.click();
      await until(() => button('Hello') !== undefined);
      const { body } = await ada.get<{ conversations: Thing[] }>('/conversations');
      const history = () => ada.history(body.conversations[0]!.id);
      await until(async () => (await history()).at(-1)!.status === 'stopped');
      expect(await history()).toMatchObject([{ content: 'Hello!' }, { content: 'Hello 👋🏽' }]);
    });
  });
});
