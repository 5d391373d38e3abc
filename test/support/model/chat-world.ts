import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import type { TestApp } from '../app/app.js';
import { ChatModel, endOf, type ModelMessage, type ReplyPlan, type Request } from './chat-model.js';
import { crash } from '../app/crash.js';
import { within } from '../clients/event-log.js';
import type { Thing } from '../clients/http.js';
import { Observer } from '../clients/observer.js';
import { cut, errorEvent, gate, noDone, reasoning, type Script } from '../provider/provider.js';
import { ReplyReader } from '../clients/reply-reader.js';
import { SseRefused } from '../clients/sse.js';
import type { TestUser } from '../app/user.js';

export type AskingTransport = 'sse' | 'socket.io' | 'websocket';

type Answer = { user: Thing; reply: Thing } | { status: number; code: unknown };

/** Pairs the model with the running app: commands change both, and `verify` compares them. */
export class ChatWorld {
  private held = gate();
  private readonly callsBefore: number;
  private readonly senders: ReplyReader[] = [];

  constructor(
    private readonly t: TestApp,
    private readonly user: TestUser,
    private readonly id: number,
    readonly observers: Observer[],
  ) {
    this.callsBefore = t.provider.chats.length;
  }

  static async create(t: TestApp, user: TestUser, observers: number): Promise<ChatWorld> {
    const { id } = await user.createConversation({ title: 'Property' });
    const watching = Array.from({ length: observers }, (_, n) => new Observer(`observer ${n}`, user, id));
    return new ChatWorld(t, user, id, watching);
  }

  /** Sends, edits or regenerates, and expects the outcome that the model predicts. */
  async ask(model: ChatModel, request: Request, transport: AskingTransport, plan: ReplyPlan): Promise<void> {
    const verdict = model.judge(request);
    if (verdict.kind === 'accepted') this.arrange(plan);
    const answer = await this.answerTo(request, model.deleted ? 'sse' : transport);
    if (verdict.kind === 'refused') {
      expect(answer).toEqual({ status: verdict.status, code: verdict.code });
      return;
    }
    const { user, reply } = answer as { user: Thing; reply: Thing };
    if (verdict.kind === 'accepted') {
      model.accept(request, user.id, reply.id, plan);
      await this.begun(model, plan);
      // A regenerated reply answers an old message, which may be on a branch unknown to an observer.
      const created = request.kind === 'regenerate' ? [reply.id] : [user.id, reply.id];
      await Promise.all(this.observers.map((observer) => observer.agree(model, created)));
    }
    const { message, reply: expected } = verdict.kind === 'repeat' ? verdict : model.newest;
    expect([user, reply]).toMatchObject([placeOf(model, message), placeOf(model, expected)]);
  }

  /** Lets the provider finish its reply. */
  async finish(model: ChatModel): Promise<void> {
    this.held.open();
    await this.ended(model);
  }

  async stop(model: ChatModel): Promise<void> {
    const { status, body } = await this.post('stop');
    if (model.deleted) expect([status, body.code]).toEqual([404, 'not_found']);
    else if (!model.running) expect([status, body.code]).toEqual([409, 'no_reply_running']);
    else {
      expect([status, body.id, body.status]).toEqual([200, model.running.reply.id, 'stopped']);
      expect(body).toEqual(await this.newest(() => true));
      model.end('stopped');
    }
  }

  /** Stops the reply while the provider finishes; the stored row shows which came first. */
  async finishAndStop(model: ChatModel): Promise<void> {
    const { plan } = model.running!;
    this.held.open();
    await Promise.all([this.post('stop'), this.post('stop')]);
    const { status, content } = await this.whenEnded();
    expect(['stopped', endOf(plan).status]).toContain(status);
    expectStart(plan.before + plan.after, content);
    expectStart(String(content), plan.before);
    model.end(String(status), String(content));
  }

  async activate(model: ChatModel, messageId: number): Promise<void> {
    const { status, body } = await this.post(`messages/${messageId}/activate`);
    if (model.deleted) expect([status, body.code]).toEqual([404, 'not_found']);
    else if (model.running) expect([status, body.code]).toEqual([409, 'reply_in_progress']);
    else expect([status, body.active_message_id]).toEqual([200, model.activate(messageId)]);
  }

  async delete(model: ChatModel): Promise<void> {
    expect((await this.post('delete')).status).toBe(model.deleted ? 404 : 204);
    model.deleted = true;
    model.running = null;
    for (const observer of this.observers.filter(({ transport }) => transport)) {
      await observer.reader.until(() => observer.reader.deleted, 'the deletion');
      await observer.drop();
    }
    const ids = model.messages.map(({ id }) => id);
    const left = async () => (await this.rowsOf('reply_chunks', 'message_id', ids)).length;
    while ((await left()) > 0) await delay(20);
    expect(await this.rowsOf('messages', 'conversation_id', [this.id])).toEqual([]);
  }

  /** Restarts the server gracefully. */
  async restart(model: ChatModel): Promise<void> {
    await this.whileAway(model, async () => {
      await this.t.restart();
      if (model.running) model.end('interrupted');
    });
  }

  /** Kills and restarts the server. @param stop whether the user stops the reply before recovery */
  async crash(model: ChatModel, stop: boolean): Promise<void> {
    await this.whileAway(model, async () => {
      await crash(this.t.app);
      await this.t.start();
      if (!model.running) return;
      const { reply } = model.running;
      if (stop) await this.post('stop');
      const stored = await this.whenEnded();
      expect(['interrupted', stop ? 'stopped' : '']).toContain(stored.status);
      // The last text may not have been stored.
      expectStart(reply.content, stored.content);
      expectStart(reply.reasoning, stored.reasoning);
      reply.reasoning = String(stored.reasoning);
      model.end(String(stored.status), String(stored.content));
    });
  }

  /** Compares the server's and every observer's view with the model. */
  async verify(model: ChatModel): Promise<void> {
    const { status, body } = await this.user.get<Thing>(`/conversations/${this.id}?limit=200`);
    if (model.deleted) return void expect(status).toBe(404);
    expect({ active: body.active_message_id, count: body.message_count }).toEqual({
      active: model.activeId,
      count: model.messages.length,
    });
    const messages = model.branch.map((message) => {
      const { content, reasoning, status } = message;
      return { ...placeOf(model, message), content, reasoning, status };
    });
    expect(body.messages).toMatchObject(messages);
    await Promise.all(this.observers.map((observer) => observer.agree(model)));
    for (const { fault } of this.senders) expect(fault).toBeUndefined();
    expect(this.t.provider.chats.length - this.callsBefore).toBe(model.upstreamCalls);
  }

  /** Checks invariants of the rows. */
  async verifyRows(model: ChatModel): Promise<void> {
    const rows = await this.rowsOf('messages', 'conversation_id', [this.id]);
    if (model.deleted) return void expect(rows).toEqual([]);
    const branch = new Set(model.branch.map(({ id }) => id));
    const expected = model.messages.map(({ id, parentId, role, status }) => ({
      id,
      parentId,
      role,
      status,
      active: branch.has(id),
      running: false,
      counted: role === 'assistant',
    }));
    expect(rows.map(summary)).toEqual(expected.sort((a, b) => a.id - b.id));
    for (const { id, parentId } of expected) expect(id).toBeGreaterThan(parentId ?? 0);
  }

  private arrange({ held, reasoning: thought, before, after, ending }: ReplyPlan): void {
    this.held = gate();
    if (!held) this.held.open();
    const { provider } = this.t;
    const ends: Partial<Record<typeof ending, Script>> = {
      cut: [cut()],
      error: [errorEvent({ message: 'Too bad' }), noDone()],
    };
    if (ending === 'refused') return void provider.willAnswer(401, { error: { message: 'No such key' } });
    if (ending === 'limited') return void provider.willAnswer(429, '', { 'Retry-After': '60' });
    if (ending === 'second try') provider.willAnswer(503, '', { 'Retry-After': '0' });
    const thoughts = thought ? [reasoning(thought)] : [];
    provider.willStream(...thoughts, before, this.held, after, ...(ends[ending] ?? []));
  }

  private async begun(model: ChatModel, { held, before, reasoning }: ReplyPlan): Promise<void> {
    if (!held) return this.ended(model);
    const asked = this.t.provider.waitForRequests(this.callsBefore + model.upstreamCalls);
    await within(asked, 'The provider was not asked');
    await this.newest((reply) => reply.content === before && reply.reasoning === reasoning);
  }

  private async ended(model: ChatModel): Promise<void> {
    await this.whenEnded();
    const { status, content } = endOf(model.running!.plan);
    model.end(status, content);
  }

  /** @returns the newest message of the active branch, once the condition holds */
  private async newest(isWanted: (message: Thing) => boolean): Promise<Thing> {
    for (const start = Date.now(); ;) {
      const newest = (await this.user.history(this.id, '?limit=1'))[0]!;
      if (isWanted(newest)) return newest;
      if (Date.now() - start > 5000) throw new Error(`Not as wanted: ${JSON.stringify(newest)}`);
      await delay(2);
    }
  }

  private whenEnded(): Promise<Thing> {
    return this.newest(({ status }) => status !== 'streaming');
  }

  /** Reconnects the observers that were connected. */
  private async whileAway(model: ChatModel, work: () => Promise<void>): Promise<void> {
    const transports = this.observers.map(({ transport }) => transport);
    await Promise.all(this.observers.map((observer) => observer.lose()));
    await work();
    this.held.open();
    if (model.deleted) return;
    await Promise.all(
      this.observers.map((observer, n) => transports[n] && observer.connect(transports[n], model)),
    );
  }

  private async answerTo(request: Request, transport: AskingTransport): Promise<Answer> {
    if (transport === 'sse') return this.answerOverSse(request);
    const { kind, ...rest } = request;
    const {
      messageId: message_id,
      content,
      clientMessageId: client_message_id,
    } = rest as Partial<typeof rest> & {
      messageId?: number;
      content?: string;
      clientMessageId?: string;
    };
    const body = { conversation_id: this.id, message_id, content, client_message_id };
    const client = transport === 'socket.io' ? this.user.socket() : this.user.ws(this.id);
    const ack = await ('emit' in client
      ? client.emit(`chat.${kind}`, body)
      : client.request(`chat.${kind}`, body));
    await client.close();
    const { ok, data, error } = ack as unknown as { ok: boolean; data: Record<string, Thing>; error: Thing };
    if (!ok) return { status: Number(error.status), code: error.code };
    return { user: data.user_message!, reply: data.assistant_message! };
  }

  private async answerOverSse(request: Request): Promise<Answer> {
    const paths = { send: 'chat', edit: 'edit', regenerate: 'regenerate' };
    const place = request.kind === 'send' ? '' : `messages/${request.messageId}/`;
    const { content, clientMessageId } = request as { content?: string; clientMessageId?: string };
    const body = { content, client_message_id: clientMessageId };
    try {
      const sse = await this.user.sse(`/conversations/${this.id}/${place}${paths[request.kind]}`, body);
      const reader = new ReplyReader('sender', this.id);
      reader.connect('post', { follows: true });
      sse.listen(reader.apply);
      this.senders.push(reader);
      await reader.until(() => reader.messages.size === 2, 'both messages');
      const [user, reply] = sse.events.map(({ message }) => message as Thing);
      return { user: user!, reply: reply! };
    } catch (error) {
      if (!(error instanceof SseRefused)) throw error;
      return { status: error.answer.status, code: error.answer.body.code };
    }
  }

  private post(action: string) {
    return this.user.post<Thing>(`/conversations/${this.id}/${action}`);
  }

  private async rowsOf(table: string, column: string, ids: number[]): Promise<Record<string, unknown>[]> {
    if (ids.length === 0) return [];
    const source = this.t.app.get(DataSource);
    return source.query(`SELECT * FROM ${table} WHERE ${column} IN (${ids.join(',')}) ORDER BY 1`);
  }
}

/** Fields that place a message in the tree. */
function placeOf(model: ChatModel, message: ModelMessage) {
  const { id, role, parentId: parent_id, clientMessageId: client_message_id } = message;
  return { id, role, parent_id, client_message_id, sibling_ids: model.siblingsOf(message) };
}

function summary(row: Record<string, unknown>) {
  const { id, parent_id, role, status } = row;
  const parentId = parent_id === null ? null : Number(parent_id);
  const running = row.streaming_in !== null || row.node_id !== null;
  const counted = row.usage_estimated !== null && row.total_tokens !== null;
  return { id: Number(id), parentId, role, status, active: Boolean(row.active), running, counted };
}

function expectStart(text: string, start: unknown): void {
  expect(text.slice(0, String(start).length)).toBe(start);
}
