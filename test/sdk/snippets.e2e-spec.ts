/** The snippets of docs/clients.md for the web and for curl, as they are printed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createParley } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';

const sections = readFileSync('docs/clients.md', 'utf8').split(/^##+ /m);
const snippetOf = (title: string) =>
  /^```\w+\n([^]*?)^```$/m.exec(sections.find((section) => section.startsWith(`${title}\n`))!)![1]!;
const hasCurl = spawnSync('curl', ['--version']).status === 0;

let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(() => t.stop());

describe('docs/clients.md', () => {
  it('streams a reply into a page', async () => {
    t.provider.willStream('Hel', 'lo ', '👋🏽', '!');
    const shown: string[] = [];
    const document = { body: { append: (text: string) => shown.push(text) } };
    const code = snippetOf('Web')
      .replace("import { createParley } from '@parley/client';", '')
      .replace('http://127.0.0.1:3000', t.url)
      .replace('ada@example.com', ada.email)
      .replace("'…'", JSON.stringify(ada.password));
    const run = Object.getPrototypeOf(async () => undefined).constructor;

    const result = await run(
      'createParley',
      'document',
      `${code}\nreturn { status, usage };`,
    )(createParley, document);

    expect(shown.join('')).toBe('Hello 👋🏽!');
    expect(result).toEqual({
      status: 'complete',
      usage: expect.objectContaining({ total_tokens: expect.any(Number) }),
    });
  });

  (hasCurl ? it : it.skip)('streams a reply to curl', async () => {
    t.provider.willStream('Hel', 'lo ', '👋🏽', '!');
    const { id } = await ada.createConversation();
    const variables = { PARLEY: t.url, ID: String(id), TOKEN: ada.tokens.access_token };
    const { stdout } = await promisify(execFile)('sh', ['-c', snippetOf('`curl`')], {
      env: { ...process.env, ...variables },
    });

    const events = [...stdout.matchAll(/^event: (.+)$/gm)].map(([, name]) => name);
    expect(events.slice(0, 2)).toEqual(['message.created', 'message.created']);
    expect(events.at(-1)).toBe('message.completed');
    expect(await ada.history(id)).toMatchObject([{ content: 'Hello!' }, { content: 'Hello 👋🏽!' }]);
  });

  (hasCurl ? it : it.skip)('sends a file by curl', async () => {
    const { id } = await ada.createConversation();
    writeFileSync(join(t.settings.dataDir, 'notes.md'), '# Notes');
    const run = async (command: string) => {
      const variables = { PARLEY: t.url, ID: String(id), TOKEN: ada.tokens.access_token };
      const options = { cwd: t.settings.dataDir, env: { ...process.env, ...variables } };
      return JSON.parse((await promisify(execFile)('sh', ['-c', command], options)).stdout) as Thing;
    };
    const [upload, send] = snippetOf('Files').split(/\n(?=curl)/);

    const file = await run(upload!);
    await run(send!.replace('[1]', `[${file.id}]`));

    expect(await ada.history(id)).toMatchObject([{ files: [{ id: file.id, name: 'notes.md' }] }, {}]);
  });
});
