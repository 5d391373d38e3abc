import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { gate } from '../support/provider/provider.js';

const ROOT = join(import.meta.dirname, '../..');
/** The server drops a silent connection after 45 s. */
const SLEEP_S = Number(process.env.SLEEP_S ?? 2);

/** Sends a message, prints each piece of the reply, then all messages as the client shows them. */
const SCRIPT = `
import { createParley } from './client.mjs';
const [baseUrl, email, password, id] = process.argv.slice(2);
const print = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const parley = createParley({ baseUrl });
await parley.auth.login({ email, password });
const conversation = parley.conversation(Number(id));
conversation.subscribe(() => undefined);
const reply = conversation.send('Good night');
for await (const text of reply) print({ text });
await reply.done;
print({ messages: conversation.getSnapshot().messages, status: parley.status.getSnapshot() });
parley.close();
`;

let t: TestApp;
let ada: TestUser;
const folder = mkdtempSync(join(tmpdir(), 'parley-sleep-'));

beforeAll(async () => {
  // The provider pauses for as long as the device sleeps.
  t = await startTestApp({ env: { UPSTREAM_IDLE_TIMEOUT_S: String(SLEEP_S + 60) } });
  ada = await t.user().withConfig(t.provider).create();
  const bundler = join(ROOT, 'node_modules/.bin/rolldown');
  const entry = join(ROOT, 'sdk/typescript/src/index.ts');
  execFileSync(bundler, [entry, '--file', join(folder, 'client.mjs'), '--platform', 'node'], { cwd: ROOT });
  await writeFile(join(folder, 'script.mjs'), SCRIPT);
});
afterAll(async () => {
  await t.stop();
  rmSync(folder, { recursive: true, force: true });
});

it(
  `loses nothing while the device sleeps for ${SLEEP_S} s in the middle of a reply`,
  async () => {
    const { id } = await ada.createConversation();
    const [asleep, awake] = [gate(), gate()];
    t.provider.willStream('Before, ', asleep, 'asleep 😴, ', awake, 'and after.');
    const child = spawn(process.execPath, ['script.mjs', t.url, ada.email, ada.password, String(id)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: Record<string, unknown>[] = [];
    const output = createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line)));
    await once(output, 'line');

    child.kill('SIGSTOP');
    asleep.open();
    await delay(SLEEP_S * 1000);
    child.kill('SIGCONT');
    awake.open();
    await once(child, 'exit');

    const last = lines.pop()!;
    expect(lines.map(({ text }) => text).join('')).toBe('Before, asleep 😴, and after.');
    const shown = (last.messages as Record<string, unknown>[]).map(
      ({ key: _key, failure: _failure, uploads: _uploads, ...message }) => message,
    );
    expect(shown).toEqual(await ada.history(id));
  },
  (SLEEP_S + 60) * 1000,
);
