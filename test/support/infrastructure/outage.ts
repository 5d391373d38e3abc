import { isCompleted, textOf } from '../clients/events.js';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestApp } from '../app/app.js';
import type { Answer, Thing } from '../clients/http.js';
import { gate } from '../provider/provider.js';
import type { SocketClient } from '../clients/socket.js';
import type { SseReader } from '../clients/sse.js';
import type { TestUser } from '../app/user.js';
import type { WebSocketClient } from '../clients/websocket.js';

const OUTAGE_MS = Number(process.env.OUTAGE_MS ?? 6500);
/** Time limit for an error during an outage, and for recovery after it. */
export const SOON_MS = 5000;

/** App whose database can be made unavailable. */
export interface Scene {
  t: TestApp;
  /** @returns a function that restores the database */
  makeUnavailable(): Promise<() => unknown>;
  stop(): Promise<void>;
}

/** Tests for every kind of outage. */
export function testOutage(start: () => Promise<Scene>, startsWithinMs?: number): void {
  let scene: Scene;
  let t: TestApp;
  let ada: TestUser;
  let socket: SocketClient;
  let ws: WebSocketClient;
  let [lasting, ending, idle]: Thing[] = [];
  let [long, short]: SseReader[] = [];
  let bringBack: () => unknown;
  let awaySince: number;
  let backSince: number;
  const gates = { during: gate(), end: gate(), after: gate() };
  const refused = { content: 'Refused, then repeated', client_message_id: randomUUID() };
  let warnings: jest.SpiedFunction<Logger['warn']>;
  const stalls = monitorEventLoopDelay({ resolution: 10 });

  beforeAll(async () => {
    scene = await start();
    t = scene.t;
    ada = await t.user().withConfig(t.provider).create();
    [lasting, ending, idle] = [
      await ada.createConversation({ title: 'Lasting' }),
      await ada.createConversation({ title: 'Ending' }),
      await ada.createConversation({ title: 'Idle' }),
    ];
    socket = ada.socket();
    await socket.connected;
    ws = ada.ws(idle!.id);
    await ws.until(({ type }) => type === 'conversation.snapshot');
    t.provider.willStream('Before, ', gates.during, 'during ', gates.after, 'and after.');
    long = await ada.sse(`/conversations/${lasting!.id}/chat`, { content: 'Long?' });
    await long.until(() => textOf(long!.events) === 'Before, ');
    t.provider.willStream('It ends ', gates.end, 'while away.');
    short = await ada.sse(`/conversations/${ending!.id}/chat`, { content: 'Short?' });
    await short.until(() => textOf(short!.events) === 'It ends ');

    warnings = jest.spyOn(Logger.prototype, 'warn');
    bringBack = await scene.makeUnavailable();
    awaySince = Date.now();
    stalls.enable();
  }, startsWithinMs);
  afterAll(() => scene.stop());
  afterAll(() => void warnings?.mockRestore());

  it('passes on what replies say', async () => {
    gates.during.open();
    gates.end.open();

    await long!.until(() => textOf(long!.events) === 'Before, during ', 1000);
    await short!.until(() => textOf(short!.events) === 'It ends while away.', 1000);
  });

  it('refuses new messages, soon, over every transport', async () => {
    const problem = { status: 503, code: 'database_unavailable' };
    const path = `/conversations/${idle!.id}/chat`;
    const since = Date.now();
    const answers = await Promise.all([
      ada.post<Record<string, unknown>>(path, refused, { Accept: 'application/json' }),
      ada.sse(path, { content: 'Hi' }).catch((error: { answer: Answer<object> }) => error.answer),
      socket.emit('chat.send', { conversation_id: idle!.id, content: 'Hi' }),
      ws.request('chat.send', { content: 'Hi' }),
    ]);

    expect(Date.now() - since).toBeLessThan(SOON_MS);
    expect(answers).toMatchObject([
      { status: 503, body: problem },
      { status: 503, body: problem },
      { ok: false, error: problem },
      { ok: false, error: problem },
    ]);
    const { headers } = answers[0];
    expect(Number(headers.get('Retry-After'))).toBeGreaterThan(0);
  });

  it('refuses as soon when more ask than there are connections', async () => {
    const since = Date.now();
    const answers = await Promise.all(Array.from({ length: 25 }, () => ada.send(idle!.id, 'One of many')));

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(Date.now() - since).toBeLessThan(SOON_MS);
  });

  it('lives on, without a stall', async () => {
    const since = Date.now();

    expect((await t.http.get('/health/live')).status).toBe(200);
    expect(Date.now() - since).toBeLessThan(500);
    expect((await t.http.get('/health/ready')).status).toBe(503);
    expect(stalls.max / 1e6).toBeLessThan(1000);
  });

  it(
    'does not say that a reply has ended before its end is stored',
    async () => {
      await delay(Math.max(0, OUTAGE_MS - (Date.now() - awaySince)));

      expect(short!.events.filter(isCompleted)).toEqual([]);
    },
    OUTAGE_MS + 10_000,
  );

  it('stores within 5 s of its return what it could not, and then says so', async () => {
    await bringBack();
    backSince = Date.now();

    expect(await short!.until(isCompleted, SOON_MS)).toMatchObject({
      message: { content: 'It ends while away.', status: 'complete' },
    });
    expect((await ada.history(ending!.id))[1]).toMatchObject({
      content: 'It ends while away.',
      status: 'complete',
    });
  });

  it('has said of each failure once that there is one, however often it was met', () => {
    // Objects are log lines of refused commands.
    const said = warnings.mock.calls.map(([message]) => message).filter((said) => typeof said === 'string');

    expect(said.length).toBeGreaterThan(0);
    expect(said).toEqual([...new Set(said)]);
  });

  it('takes messages again within 5 s, by itself', async () => {
    let answer = await ada.send(idle!.id, refused.content, refused);
    while (answer.status === 503 && Date.now() - backSince < SOON_MS) {
      await delay(100);
      answer = await ada.send(idle!.id, refused.content, refused);
    }

    expect(answer).toMatchObject({ status: 200, body: { user_message: { content: refused.content } } });
    expect(Date.now() - backSince).toBeLessThan(SOON_MS);
    expect(await ada.history(idle!.id)).toHaveLength(2);
    expect((await t.http.get('/health/ready')).status).toBe(200);
  });

  it('brings a reply that lasted through it to its end, with nothing lost', async () => {
    gates.after.open();

    expect(await long!.until(isCompleted)).toMatchObject({
      message: { content: 'Before, during and after.', status: 'complete' },
    });
    expect(await ada.history(lasting!.id)).toMatchObject([
      { content: 'Long?' },
      { content: 'Before, during and after.', status: 'complete' },
    ]);
  });
}
