import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finish, gate, noDone, PlayedProvider } from '../support/provider/provider.js';
import { ServerProcess } from '../support/app/server-process.js';
import { UserBuilder } from '../support/app/user.js';

/** 9 tokens of o200k_base, one per word. */
const NINE_WORDS = 'the quick brown fox jumps over the lazy dog';

let folder: string;
let server: ServerProcess;
let provider: PlayedProvider;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-tokenizer-'));
  server = new ServerProcess(folder, { RATE_LIMIT_SCALE: '0' });
  provider = await PlayedProvider.start();
});
afterAll(async () => {
  await server.close();
  await provider.stop();
  await rm(folder, { recursive: true, force: true });
});

it('the built server counts tokens in its worker, and can exit', async () => {
  const url = await server.url();
  const user = new UserBuilder({ url: () => url, opened: (connection) => connection });
  const ada = await user.withConfig(provider, { context_tokens: 256, params: { max_tokens: 1 } }).create();
  const { id } = await ada.createConversation({ title: 'Counted' });
  provider.willStream(NINE_WORDS, finish('stop'), noDone());

  const { body } = await ada.send(id, `${NINE_WORDS} `.repeat(27));
  server.signal('SIGTERM');

  expect(body.assistant_message.usage).toMatchObject({ completion_tokens: 9, estimated: true });
  expect((await server.exited).code).toBe(0);
});

it('a server with an uncounted reply can exit', async () => {
  const other = new ServerProcess(folder, { RATE_LIMIT_SCALE: '0', SHUTDOWN_GRACE_S: '0' });
  const url = await other.url();
  const user = new UserBuilder({ url: () => url, opened: (connection) => connection });
  const ada = await user.withConfig(provider).create();
  const { id } = await ada.createConversation({ title: 'Counted' });
  provider.willStream(NINE_WORDS, gate());
  const reply = ada.send(id, 'Hi').catch(() => undefined);
  await provider.waitForRequests(2);

  other.signal('SIGTERM');

  expect((await other.exited).code).toBe(0);
  await reply;
});
