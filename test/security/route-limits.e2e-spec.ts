/** The limits of every operation and command, observed in responses; a new operation fails until it is listed. */
import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { COMMANDS } from '../../src/chat/transports/shared/command-registry.js';
import { RATE_LIMITS } from '../../src/throttling/limits.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Answer } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';
import { gate } from '../support/provider/provider.js';
import { ApiDocument, type Operation } from './api-document.js';

const CREDENTIALS = [
  'POST /auth/email/verification',
  'POST /auth/email/verify',
  'POST /auth/exchange',
  'POST /auth/identities',
  'POST /auth/login',
  'POST /auth/me/delete',
  'POST /auth/me/email',
  'POST /auth/me/password',
  'POST /auth/me/totp',
  'POST /auth/me/totp/confirm',
  'POST /auth/me/totp/remove',
  'POST /auth/password/forgot',
  'POST /auth/password/reset',
  'POST /auth/refresh',
  'POST /auth/register',
];
const NOT_LIMITED = ['GET /health/live', 'GET /health/ready'];
const LONG = [
  'GET /auth/config/{id}/models',
  'GET /auth/me/export',
  'POST /admin/configs/{id}/test',
  'POST /auth/config/{id}/test',
  'POST /conversations/{id}/chat',
  'POST /conversations/{id}/messages',
  'POST /conversations/{id}/messages/{message_id}/edit',
  'POST /conversations/{id}/messages/{message_id}/regenerate',
  'POST /files',
];

let document: ApiDocument;
beforeAll(async () => {
  document = await ApiDocument.ofBuild();
});

let t: TestApp;
afterEach(() => t?.stop());

/** Calls every operation with unknown ids and an empty body: limits precede validation. @returns answers by name */
async function callAll(user: TestUser): Promise<[name: string, answer: Answer][]> {
  const endsSession = ({ path }: Operation) => path.startsWith('/auth/logout');
  const operations = document.operations.toSorted((a, b) => Number(endsSession(a)) - Number(endsSession(b)));
  const answers: [string, Answer][] = [];
  for (const { name, method, path } of operations) {
    const url = path.replace(/\{\w+\}/g, '999999');
    answers.push([name, await user.request(method, url, method === 'POST' ? {} : undefined)]);
  }
  return answers;
}

const namesOf = (answers: [name: string, answer: Answer][], test: (answer: Answer) => boolean): string[] =>
  answers.flatMap(([name, answer]) => (test(answer) ? [name] : [])).sort();

it('an operation has the limit for credentials if it verifies them, else the general one', async () => {
  t = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
  const answers = await callAll(await t.user().create());
  const limitedTo = (limit: number) =>
    namesOf(answers, ({ headers }) => Number(headers.get('RateLimit-Limit')) === limit);

  expect(limitedTo(RATE_LIMITS.credentials.amount)).toEqual(CREDENTIALS);
  expect(limitedTo(0)).toEqual(NOT_LIMITED);
  expect(limitedTo(RATE_LIMITS.general.amount)).toHaveLength(
    answers.length - CREDENTIALS.length - NOT_LIMITED.length,
  );
});

it('an operation whose response may take minutes counts as a long response of the user', async () => {
  // two long responses
  t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.1' } });
  const ada = await createAdmin(t);
  const config = { model_url: t.provider.url, model_name: 'test-model' };
  await ada.post('/auth/config/create', config);
  const path = `/conversations/${(await ada.createConversation()).id}/chat`;
  const held = gate();
  t.provider.willStream('Hel', held);
  const message = { content: 'Hi', client_message_id: randomUUID() };
  for (let n = 0; n < 2; n++) await ada.sse(path, message);
  const answers = await callAll(ada);
  held.open();

  expect(namesOf(answers, ({ body }) => body.detail === 'Too many answers are under way.')).toEqual(LONG);
});

it('every command counts against the events of its socket', async () => {
  // five events per second; a socket that sends more than twenty is closed
  t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.1' } });
  const ada = await t.user().create();
  for (const command of Object.keys(COMMANDS)) {
    const socket = ada.socket();
    const answers = await Promise.all(Array.from({ length: 18 }, () => socket.emit(command, {})));
    await socket.close();

    const refused = answers.filter(({ error }) => error?.code === 'rate_limited');
    // The burst may span two seconds.
    expect([8, 13]).toContain(refused.length);
  }
});
