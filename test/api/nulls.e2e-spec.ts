import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { User } from '../../src/auth/users/user.entity.js';
import type { Schema } from '../../src/docs/openapi/examples.js';
import { ApiDocument } from '../security/api-document.js';
import { newAccount } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';

type Body = Record<string, unknown>;

let t: TestApp;
let document: ApiDocument;
beforeAll(async () => {
  [t, document] = await Promise.all([startTestApp(), ApiDocument.ofBuild()]);
});
afterAll(() => t?.stop());

/** A user with one object of each kind; worlds differ only in ids. */
interface World {
  user: TestUser;
  conversation: number;
  asked: number;
  reply: number;
  config: number;
  sharedConfig: number;
}

async function makeWorld(): Promise<World> {
  const config = { name: 'Mine', context_tokens: 4096, params: { temperature: 0.5 } };
  const user = await t.user().withConfig(t.provider, config).create();
  const settings = { title: 'Trip', system_prompt: 'Briefly.', params: { top_p: 0.5 } };
  const { id: conversation } = await user.createConversation({ ...settings, config_id: user.configId });
  const { body } = await user.send(conversation, 'Hi');
  const [asked, reply] = [body.user_message.id, body.assistant_message.id];
  await t.manager.update(User, { id: user.id }, { role: 'admin' });
  const shared = { model_url: t.provider.url, model_name: 'test-model', enabled: false };
  const { body: sharedConfig } = await user.post<Thing>('/admin/configs/create', shared);
  return { user, conversation, asked, reply, config: user.configId!, sharedConfig: sharedConfig.id };
}

/** Required fields of each operation and command with optional fields. */
const REQUIRED: Record<string, (world: World) => Body> = {
  'POST /auth/register': () => newAccount(),
  'POST /auth/login': ({ user: { email, password } }) => ({ email, password }),
  'POST /auth/exchange': () => ({ id_token: 'not one' }),
  'POST /auth/identities': () => ({ id_token: 'not one' }),
  'POST /auth/me/delete': () => ({}),
  'POST /auth/me/totp': () => ({}),
  'POST /auth/me/totp/remove': () => ({ code: '123456' }),
  'POST /admin/invitations': () => ({}),
  'POST /admin/configs/create': () => ({ model_url: t.provider.url, model_name: 'test-model' }),
  'POST /admin/configs/{id}/update': () => ({}),
  'POST /auth/me/email': ({ user }) => ({ email: `new-${user.email}` }),
  'POST /auth/me/password': () => ({ password: 'another long pass phrase' }),
  'POST /auth/config/create': () => ({ model_url: t.provider.url, model_name: 'test-model' }),
  'POST /auth/config/{id}/update': () => ({}),
  'POST /conversations/create': () => ({}),
  'POST /conversations/{id}/update': () => ({}),
  'POST /conversations/{id}/chat': () => ({ content: 'Hi' }),
  'POST /conversations/{id}/messages': () => ({ content: 'Hi' }),
  'POST /conversations/{id}/messages/{message_id}/regenerate': () => ({}),
  'POST /conversations/{id}/messages/{message_id}/edit': () => ({ content: 'Ho' }),
  'conversation.open': () => ({}),
  'conversation.close': () => ({}),
  'chat.send': () => ({ content: 'Hi' }),
  'chat.stop': () => ({}),
  'chat.regenerate': ({ reply }) => ({ message_id: reply }),
  'chat.edit': ({ asked }) => ({ message_id: asked, content: 'Ho' }),
};

/** Operations that require the password of a user who has one, whom they refuse without it. */
const PASSWORD_REQUIRED = ['POST /auth/me/delete', 'POST /auth/me/totp', 'POST /auth/me/totp/remove'];

/** Fields that null unsets, according to the contract. */
const UNSETS = ['config_id', 'system_prompt'];

/** Drops ids, times and random names, which differ between worlds. */
const withoutIds = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => {
      if (/(^|_)ids?$|_at$|_token$|^(email|username|latency_ms|instance)$/.test(key)) return undefined;
      // The code of an invitation, not of a problem.
      if (key === 'code' && !/^[a-z_]+$/.test(String(inner))) return undefined;
      return inner;
    }) ?? 'null',
  );

/** Optional only beside other fields. */
const CONDITIONAL = ['content'];

/** Optional fields, except those that null unsets. */
function optionalOf(name: string, schema: Schema): string[] {
  const names = document.propertiesOf(schema).map(([property]) => property);
  const unset = name.endsWith('{id}/update') ? UNSETS : CONDITIONAL;
  return names.filter((property) => !schema.required?.includes(property) && !unset.includes(property));
}

const nulls = (names: string[]): Body => Object.fromEntries(names.map((name) => [name, null]));

/** Calls an operation as a new user. @returns status and body without ids */
async function overHttp(name: string, extra: Body): Promise<unknown> {
  const world = await makeWorld();
  const [method, template] = name.split(' ') as [string, string];
  const ids = { '/auth/config': world.config, '/admin/configs': world.sharedConfig };
  const [, id] = Object.entries(ids).find(([start]) => template.startsWith(start)) ?? [
    '',
    world.conversation,
  ];
  const message = template.endsWith('edit') ? world.asked : world.reply;
  const path = template.replace('{id}', `${id}`).replace('{message_id}', `${message}`);
  const answer = await world.user.request(method, path, { ...REQUIRED[name]!(world), ...extra });
  return withoutIds([answer.status, answer.body]);
}

async function overSocketIo(name: string, extra: Body): Promise<unknown> {
  const world = await makeWorld();
  const socket = world.user.socket();
  const body = { conversation_id: world.conversation, ...REQUIRED[name]!(world), ...extra };
  const ack = await socket.emit(name, body);
  await socket.close();
  return withoutIds(ack);
}

async function overWebSocket(name: string, extra: Body): Promise<unknown> {
  const world = await makeWorld();
  const ws = world.user.ws(world.conversation);
  await ws.send({ type: name, ...REQUIRED[name]!(world), ...extra });
  const ack = await ws.until(({ type }) => type === 'ack');
  await ws.close();
  return withoutIds(ack);
}

type Call = typeof overHttp;

/** Compares null with absent for each optional field alone and for all together. */
async function compare(call: Call, name: string, optional: string[]): Promise<void> {
  const absent = await call(name, {});
  if (!PASSWORD_REQUIRED.includes(name))
    expect([name, JSON.stringify(absent)]).toEqual([name, expect.not.stringContaining('validation_failed')]);
  for (const fields of [...optional.map((field) => [field]), optional]) {
    expect([name, fields, await call(name, nulls(fields))]).toEqual([name, fields, absent]);
  }
}

describe('null for an optional field of a body means absent', () => {
  it('in every operation, except where null unsets a field', async () => {
    const operations = document.operations.flatMap(({ name, body }) => {
      const optional = body ? optionalOf(name, body.schema) : [];
      return optional.length > 0 ? [{ name, optional }] : [];
    });
    expect(operations.length).toBeGreaterThan(8);
    for (const { name, optional } of operations) await compare(overHttp, name, optional);
  }, 120_000);

  it.each<[channel: string, call: Call]>([
    ['chat', overSocketIo],
    ['conversation', overWebSocket],
  ])(
    'in every command of the channel %s',
    async (channel, call) => {
      const commands = document.commandsOf(channel).flatMap(({ name, body }) => {
        const optional = optionalOf(name, body);
        return optional.length > 0 && name !== 'auth.refresh' ? [{ name, optional }] : [];
      });
      expect(commands.length).toBeGreaterThan(3);
      for (const { name, optional } of commands) await compare(call, name, optional);
    },
    120_000,
  );

  it('but unsets the configuration, the system prompt and params in an update', async () => {
    const { user, conversation, config } = await makeWorld();
    const unset = { config_id: null, system_prompt: null, params: { temperature: null } };

    const changed = await user.post(`/conversations/${conversation}/update`, unset);
    const kept = await user.post(`/auth/config/${config}/update`, { params: null, context_tokens: null });

    expect([changed.status, changed.body]).toMatchObject([200, unset]);
    expect(kept.body).toMatchObject({ params: { temperature: 0.5 }, context_tokens: 4096 });
  });

  it('but is refused for a required field', async () => {
    const { user, conversation } = await makeWorld();

    expect(await user.post(`/conversations/${conversation}/chat`, { content: null })).toMatchObject({
      status: 422,
      body: { errors: [{ field: 'content' }] },
    });
  });
});
