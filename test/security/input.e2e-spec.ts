/** Hostile input to every operation and command; test/api/edge.e2e-spec.ts tests more input on one operation. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { DataSource } from 'typeorm';
import { User } from '../../src/auth/users/user.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { sendRaw } from '../support/clients/raw.js';
import type { TestUser } from '../support/app/user.js';
import { ApiDocument, type Operation } from './api-document.js';
import { readLastingState } from './tables.js';

const DEEP = 100_000;
const deepList = '['.repeat(DEEP) + ']'.repeat(DEEP);
const deepObject = `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`;
const manyKeys = JSON.stringify(
  Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, index])),
);
const POLLUTION = [
  '{"__proto__": {"polluted": true}}',
  '{"constructor": {"prototype": {"polluted": true}}}',
  '{"params": {"__proto__": {"polluted": true}}}',
];
/** Bodies that no operation accepts. */
const BAD_BODIES = [
  'null',
  '[]',
  '[{}]',
  '1',
  '"text"',
  'true',
  '{',
  ' ',
  deepList,
  deepObject,
  manyKeys,
  ...POLLUTION,
];
const SQL = [
  "' OR 1=1; DROP TABLE users; --",
  '"; DELETE FROM messages WHERE 1=1; --',
  "\\'; UPDATE users SET username='x'; #",
  '1) UNION SELECT password_hash FROM users -- ',
  "%' AND SLEEP(2) AND '%'='",
];

let raw = '';
let t: TestApp;
let document: ApiDocument;
let withBody: Operation[];
let ada: TestUser;
let eve: TestUser;
let conversationId: number;

beforeAll(async () => {
  t = await startTestApp({ log: { write: (text: string) => void (raw += text) } });
  document = await ApiDocument.ofBuild();
  withBody = document.operations.filter(({ body }) => body);
  ada = await t.user().withConfig(t.provider).create();
  const { id } = await ada.createConversation({ title: 'Stays as it is' });
  await ada.send(id, 'This too');
});
afterAll(() => t?.stop());
beforeEach(async () => {
  eve = await createEve();
  // A titled conversation, so that no title request runs during a test.
  conversationId = (await eve.createConversation({ title: 'Mine' })).id;
  await eve.send(conversationId, 'Hi');
});

/** An administrator, so that the calls of administrators are tested too. */
async function createEve(): Promise<TestUser> {
  const user = await t.user().withConfig(t.provider).create();
  await t.manager.update(User, { id: user.id }, { role: 'admin' });
  return user;
}

const pathOf = ({ path }: Operation, id: number | string = idFor(path)) =>
  path.replace(/\{\w+\}/g, String(id));
const idFor = (path: string) => (path.startsWith('/auth/config/') ? eve.configId! : conversationId);
const stringsOf = ({ body }: Operation) =>
  document
    .propertiesOf(body!.schema)
    .filter(([, { type }]) => [type].flat().includes('string'))
    .map(([name]) => name);

/** @returns the status; aborts event streams after their headers */
async function statusOf(
  method: string,
  path: string,
  body?: string | Uint8Array | object,
  headers = {},
): Promise<number> {
  const abort = new AbortController();
  const response = await eve.fetch(method, path, body, headers, abort.signal);
  if (response.headers.get('Content-Type')?.startsWith('text/event-stream')) abort.abort();
  else await response.arrayBuffer();
  return response.status;
}

/** Expects `work` to change no row and send no request to the provider. */
async function expectUnchanged(work: () => Promise<void>): Promise<void> {
  const [before, asked] = [await readLastingState(t.app.get(DataSource)), t.provider.requests.length];
  await work();
  expect(await readLastingState(t.app.get(DataSource))).toEqual(before);
  expect(t.provider.requests).toHaveLength(asked);
}

/** Expects `work` to leave Ada's data unchanged. */
async function expectAdaUnchanged(work: () => Promise<void>): Promise<void> {
  const everything = async () => (await ada.get('/auth/me/export')).body;
  const { exported_at: _, ...before } = await everything();
  await work();
  const { exported_at: __, ...after } = await everything();
  expect(after).toEqual(before);
}

describe('a body', () => {
  it('that is malformed, empty, too deep or too large is refused by every operation, without effect', async () => {
    await expectUnchanged(async () => {
      for (const operation of withBody) {
        for (const body of BAD_BODIES) {
          const status = await statusOf(operation.method, pathOf(operation), body);
          expect([operation.name, body.slice(0, 40), status]).toEqual([
            operation.name,
            body.slice(0, 40),
            isMalformed(body) ? 400 : 422,
          ]);
        }
      }
    });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('of an operation without a body is ignored or refused', async () => {
    const others = document.operations.filter(({ method, body }) => method === 'POST' && !body);
    expect(others.length).toBeGreaterThan(5);
    for (const { method, path } of others) {
      for (const body of BAD_BODIES) {
        // The id of no thing, because these operations would succeed.
        const status = await statusOf(method, path.replace(/\{\w+\}/g, '900000007'), body);
        expect([path, body.slice(0, 40), status < 500]).toEqual([path, body.slice(0, 40), true]);
      }
      if ((await eve.get('/auth/me')).status === 401) eve = await createEve();
    }
  });

  it('that is compressed is refused', async () => {
    const bomb = Buffer.alloc(20 * 1024 * 1024, ' ');
    const encodings = {
      gzip: gzipSync(bomb),
      deflate: deflateSync(bomb),
      br: brotliCompressSync(bomb),
      zstd: gzipSync(bomb),
    };
    const before = process.memoryUsage().rss;
    await expectUnchanged(async () => {
      for (const operation of withBody) {
        for (const [encoding, body] of Object.entries(encodings)) {
          const status = await statusOf(operation.method, pathOf(operation), body, {
            'Content-Encoding': encoding,
          });
          expect([operation.name, encoding, status]).toEqual([operation.name, encoding, 415]);
        }
      }
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(bomb.length * 5);
  });

  it.each([
    ['an operator', { $ne: 1 }],
    ['a pattern', { $regex: '.*' }],
    ['a list', ['text']],
    ['a number', 7],
    ['true', true],
  ])('with %s instead of text is refused, naming the field', async (_, value) => {
    await expectUnchanged(async () => {
      for (const operation of withBody) {
        for (const field of stringsOf(operation)) {
          const answer = await eve.request(operation.method, pathOf(operation), {
            ...operation.body!.example,
            [field]: value,
          });
          const named = (answer.body.errors as { field: string }[]).map(({ field }) => field);
          expect([operation.name, answer.status, named]).toEqual([
            operation.name,
            422,
            expect.arrayContaining([field]),
          ]);
        }
      }
    });
  });
});

describe('SQL', () => {
  it('in every field of every body is stored as text or refused', async () => {
    await expectAdaUnchanged(async () => {
      for (const operation of withBody) {
        for (const field of stringsOf(operation)) {
          for (const sql of SQL) {
            const body = { ...exampleBodyOf(operation), [field]: sql };
            const status = await statusOf(operation.method, pathOf(operation), body);
            expect([operation.name, field, sql, status < 500]).toEqual([operation.name, field, sql, true]);
          }
        }
        if ((await eve.get('/auth/me')).status === 401) eve = await createEve();
      }
    });
  });

  it('in every path, query and header finds nothing', async () => {
    await expectAdaUnchanged(async () => {
      for (const operation of document.operations) {
        for (const sql of SQL) {
          const id = encodeURIComponent(sql);
          if (operation.path.includes('{'))
            expect(await statusOf(operation.method, pathOf(operation, id))).toBe(404);
          if (operation.method === 'GET') await expectNoServerError(operation, sql);
        }
      }
    });
  });

  it('is stored unchanged in text fields', async () => {
    for (const sql of SQL) {
      const { id } = await eve.createConversation({ title: sql, system_prompt: sql });
      t.provider.willStream(sql);
      await eve.send(id, sql);
      const { body } = await eve.get(`/conversations/${id}`);
      expect(body).toMatchObject({
        title: sql,
        system_prompt: sql,
        messages: [{ content: sql }, { content: sql }],
      });
      const found = await eve.get<{ total: number }>(`/conversations?q=${encodeURIComponent(sql)}`);
      expect(found.body.total).toBe(1);
    }
  });
});

async function expectNoServerError(operation: Operation, sql: string): Promise<void> {
  const names = operation.parameters.filter(({ in: where }) => where === 'query').map(({ name }) => name);
  for (const name of names) {
    const status = await statusOf('GET', `${pathOf(operation)}?${new URLSearchParams({ [name]: sql })}`);
    expect([operation.name, name, status < 500]).toEqual([operation.name, name, true]);
  }
  const headers = Object.fromEntries(HEADERS.map((name) => [name, sql]));
  const status = await statusOf('GET', pathOf(operation), undefined, headers);
  expect([operation.name, status < 500]).toEqual([operation.name, true]);
}

const HEADERS = [
  'User-Agent',
  'X-Request-Id',
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'Last-Event-ID',
  'Accept',
  'Accept-Language',
  'Referer',
  'Forwarded',
  'X-Real-IP',
];

/** The documented example, with the URL of the test provider. */
function exampleBodyOf({ body }: Operation): Record<string, unknown> {
  const { config_id: _, client_message_id: __, ...example } = body!.example;
  return 'model_url' in example ? { ...example, model_url: t.provider.url } : example;
}

describe('line breaks', () => {
  const FORGED = '{"level":"info","msg":"forged","user_id":1}';
  const BREAKS = ['\r\n', '\n', '\r', '\u2028', '\u0085', '\u001b[2K'];

  it('in client input add no log line and no response header', async () => {
    for (const line of BREAKS) {
      const text = `x${line}${FORGED}${line}Set-Cookie: forged=1${line}`;
      const encoded = encodeURIComponent(text);
      const answers = [
        await t.http.post('/auth/login', { email: `${text}@example.com`, password: text }),
        await t.http.post('/auth/register', { username: text, email: 'x@example.com', password: text }),
        await t.http.get(`/conversations/${encoded}?q=${encoded}`),
        await t.http.get(`/${encoded}`),
        await eve.post('/conversations/create', { title: text }),
        await eve.get(`/conversations?q=${encoded}`),
      ];
      for (const { headers } of answers) expect(headers.get('Set-Cookie')).toBeNull();
    }
    expectOneLineEach();
  });

  it('in headers are refused by the parser', async () => {
    for (const name of ['User-Agent', 'X-Request-Id', 'Authorization', 'X-Forwarded-For']) {
      const request = `GET /auth/me HTTP/1.1\r\nHost: a\r\n${name}: x\n${FORGED}\r\nConnection: close\r\n\r\n`;
      expect(await sendRaw(t.url, request)).toMatch(/^HTTP\/1\.1 400 /);
    }
    expectOneLineEach();
  });

  it('from a provider reach neither the log nor the framing of events', async () => {
    const { id } = await eve.createConversation({ title: 'Mine' });
    for (const line of BREAKS) {
      t.provider.willAnswer(404, { error: { message: `No.${line}${FORGED}${line}data: forged` } });
      const stream = await eve.sse(`/conversations/${id}/chat`, { content: `Hi${line}event: forged${line}` });
      const { message } = await stream.until(({ type }) => type === 'message.completed');
      expect(message).toMatchObject({
        status: 'failed',
        error: { detail: expect.stringMatching(/^No\. ?[^\r\n]*$/) },
      });
      expect(stream.events.map(({ type }) => type)).not.toContain('forged');
    }
    expectOneLineEach();
  });

  function expectOneLineEach(): void {
    const lines = raw
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter(({ msg }) => msg === 'forged')).toEqual([]);
    expect(lines.every(({ level, time }) => level && time)).toBe(true);
  }
});

interface Transport {
  name: string;
  channel: string;
  open(): Promise<(command: string, json: string) => Promise<Answered>>;
}
interface Answered {
  ok: boolean;
  error?: { status: number };
}

const TRANSPORTS: Transport[] = [
  {
    name: 'Socket.IO',
    channel: 'chat',
    // Raw packets, because clients cannot produce all of them.
    open: async () => {
      const socket = eve.socket();
      await socket.connected;
      const { engine } = socket.io.io;
      let id = 1000;
      return (command, json) =>
        new Promise((resolve, reject) => {
          const answer = `3/chat,${++id}`;
          const listen = (packet: unknown) => {
            if (typeof packet !== 'string' || !packet.startsWith(answer)) return;
            engine.off('data', listen);
            resolve(JSON.parse(packet.slice(answer.length))[0]);
          };
          engine.on('data', listen);
          engine.once('close', (reason: string) =>
            reject(new Error(`${command} ${json.slice(0, 40)}: ${reason}`)),
          );
          engine.write(`2/chat,${id}[${JSON.stringify(command)},${json}]`);
        });
    },
  },
  {
    name: 'the WebSocket',
    channel: 'conversation',
    open: async () => {
      const socket = eve.ws(conversationId);
      await socket.until(({ type }) => type === 'conversation.snapshot');
      let id = 1000;
      return async (command, json) => {
        const head = `{"type":${JSON.stringify(command)},"id":${++id}`;
        const rest = json.startsWith('{') ? json.slice(1) : `"surprise":${json}}`;
        await socket.send(rest === '}' ? `${head}}` : `${head},${rest}`);
        return (await socket.until(
          (frame) => frame.type === 'ack' && frame.id === id,
        )) as unknown as Answered;
      };
    },
  },
];

describe.each(TRANSPORTS)('$name', ({ channel, open }) => {
  it('refuses at every command what HTTP refuses, and stays open', async () => {
    const send = await open();
    const frames = [
      'null',
      '[]',
      '[{}]',
      '1',
      '"text"',
      'true',
      deepList,
      deepObject,
      manyKeys,
      ...POLLUTION,
    ];
    await expectUnchanged(async () => {
      for (const { name, body } of document.commandsOf(channel)) {
        for (const frame of frames) await expectRefused(send, name, frame);
        for (const [field, { type }] of document.propertiesOf(body)) {
          if (type !== 'string') continue;
          for (const value of [{ $ne: 1 }, ['x'], 7]) {
            const frame = { conversation_id: conversationId, message_id: conversationId, [field]: value };
            await expectRefused(send, name, JSON.stringify(frame));
          }
        }
      }
    });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect((await send('conversation.open', `{"conversation_id":${conversationId}}`)).ok).toBe(true);
  });

  it('treats SQL as text, and refuses it as an id or a token', async () => {
    const send = await open();
    await expectAdaUnchanged(async () => {
      for (const sql of SQL) {
        for (const { name, body } of document.commandsOf(channel)) {
          const fields = document
            .propertiesOf(body)
            .filter(([field]) => field !== 'content' && field !== 'type');
          const frame = Object.fromEntries(fields.map(([field]) => [field, sql]));
          await expectRefused(send, name, JSON.stringify({ ...frame, id: undefined }));
        }
        const sent = await send(
          'chat.send',
          JSON.stringify({ conversation_id: conversationId, content: sql }),
        );
        expect(sent).toMatchObject({ ok: true, data: { user_message: { content: sql } } });
        await untilDone(sent);
      }
    });
  });

  async function untilDone({
    data,
  }: Answered & { data?: { assistant_message: { id: number } } }): Promise<void> {
    const stream = await eve.sse(`/conversations/${conversationId}/events`, undefined, {
      'Last-Event-ID': `${data!.assistant_message.id}.1.0.0`,
    });
    await stream.until(({ type }) => type === 'message.completed');
    await stream.close();
  }
});

async function expectRefused(
  send: (command: string, json: string) => Promise<Answered>,
  command: string,
  json: string,
): Promise<void> {
  const { ok, error } = await send(command, json);
  const what = [command, json.slice(0, 60)];
  // conversation.close accepts any number, existing or not.
  expect([...what, ok, error?.status]).toEqual([...what, false, expect.any(Number)]);
  expect([...what, error!.status >= 400 && error!.status < 500]).toEqual([...what, true]);
}

const isMalformed = (body: string) => body === '{' || body === ' ';
