import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  applyEvent,
  applyPage,
  applyTurn,
  type Branch,
  EMPTY,
} from '../../sdk/typescript/src/conversations/branch.js';
import type { Conversation, ConversationPage, Message } from '../../sdk/typescript/src/index.js';
import type { LiveEvent } from '../../sdk/typescript/src/live/events.js';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 12) * 15;
const PAGE = 6;

/** A conversation as API.md has it, and the events that it sends. */
class Server {
  private readonly messages: Message[] = [];
  private activeId: number | null = null;

  get branch(): Message[] {
    const branch: Message[] = [];
    for (let id = this.activeId; id !== null; id = branch[0]!.parent_id) branch.unshift(this.get(id));
    return branch;
  }

  get page(): ConversationPage {
    const { branch } = this;
    return structuredClone({
      ...this.conversation,
      messages: branch.slice(-PAGE),
      has_more: branch.length > PAGE,
    });
  }

  textOf(id: number): string {
    return this.get(id).content;
  }

  send(): LiveEvent[] {
    return this.running ? [] : this.turn(this.activeId);
  }

  edit(index: number): LiveEvent[] {
    const asked = this.branch.filter(({ role }) => role === 'user');
    return this.running || asked.length === 0 ? [] : this.turn(asked[index % asked.length]!.parent_id);
  }

  regenerate(): LiveEvent[] {
    const last = this.branch.at(-1);
    return this.running || !last ? [] : [...this.reply(last.parent_id!), this.updated()];
  }

  activate(index: number): LiveEvent[] {
    const replies = this.messages.filter(({ role }) => role === 'assistant');
    if (this.running || replies.length === 0) return [];
    const below = new Set([replies[index % replies.length]!.id]);
    for (const { id, parent_id } of this.messages) if (below.has(parent_id ?? 0)) below.add(id);
    this.activeId = Math.max(...below);
    return [this.updated()];
  }

  say(text: string, part: 'content' | 'reasoning' = 'content'): LiveEvent[] {
    const { running } = this;
    if (!running) return [];
    const [offset, message_id] = [running[part].length, running.id];
    running[part] += text;
    return [{ type: 'message.delta', body: { conversation_id: 1, message_id, part, offset, text } }];
  }

  /** Text that a crash lost is taken back. */
  truncate(): LiveEvent[] {
    const { running } = this;
    if (!running) return [];
    running.content = running.content.slice(0, Math.ceil(running.content.length / 2));
    const body = { conversation_id: 1, message_id: running.id, part: 'content', text: '' } as const;
    return [{ type: 'message.delta', body: { ...body, offset: running.content.length } }];
  }

  restart(): LiveEvent[] {
    const { running } = this;
    if (!running) return [];
    Object.assign(running, { content: '', reasoning: '' });
    return [this.about('message.restarted', running)];
  }

  end(status: 'complete' | 'failed'): LiveEvent[] {
    const { running } = this;
    if (!running) return [];
    running.status = status;
    return [this.about('message.completed', running)];
  }

  private get running(): Message | undefined {
    return this.messages.find(({ status }) => status === 'streaming');
  }

  private get conversation(): Conversation {
    const { activeId } = this;
    return { id: 1, active_message_id: activeId, message_count: this.messages.length } as Conversation;
  }

  private turn(parentId: number | null): LiveEvent[] {
    const user = this.create('user', parentId);
    return [this.about('message.created', user), ...this.reply(user.id), this.updated()];
  }

  private reply(parentId: number): LiveEvent[] {
    const reply = this.create('assistant', parentId);
    this.activeId = reply.id;
    return [this.about('message.created', reply)];
  }

  private create(role: 'user' | 'assistant', parent_id: number | null): Message {
    const status = role === 'user' ? 'complete' : 'streaming';
    const id = this.messages.length + 1;
    const content = role === 'user' ? `Question ${id}` : '';
    const message = { id, conversation_id: 1, parent_id, role, status, content, reasoning: '' } as Message;
    this.messages.push(message);
    return message;
  }

  private about(
    type: 'message.created' | 'message.restarted' | 'message.completed',
    message: Message,
  ): LiveEvent {
    return { type, body: { conversation_id: 1, message: structuredClone(message) } };
  }

  private updated(): LiveEvent {
    return { type: 'conversation.updated', body: { conversation: this.conversation } };
  }

  private get(id: number): Message {
    return this.messages[id - 1]!;
  }
}

type Step = (server: Server) => LiveEvent[];

const text = fc.constantFrom('a', 'ab', 'ba', '👋', 'Grüße', '\n');
const step = (name: string, run: Step): fc.Arbitrary<[string, Step]> => fc.constant([name, run]);
const streaming = fc.oneof(
  step('send', (server) => server.send()),
  text.map((said): [string, Step] => [`say ${said}`, (server) => server.say(said)]),
  text.map((said): [string, Step] => [`think ${said}`, (server) => server.say(said, 'reasoning')]),
  step('end', (server) => server.end('complete')),
);
const anything = fc.oneof(
  { arbitrary: streaming, weight: 3 },
  fc.nat(9).map((n): [string, Step] => [`edit ${n}`, (server) => server.edit(n)]),
  step('regenerate', (server) => server.regenerate()),
  fc.nat(9).map((n): [string, Step] => [`activate ${n}`, (server) => server.activate(n)]),
  step('restart', (server) => server.restart()),
  step('truncate', (server) => server.truncate()),
  step('fail', (server) => server.end('failed')),
);

/** The part of the branch that the client knows, which may go further back than a page. */
function expectInStep(branch: Branch, server: Server): void {
  const { branch: actual } = server;
  expect(branch.messages).toEqual(
    actual.slice(-Math.max(branch.messages.length, Math.min(PAGE, actual.length))),
  );
  expect(branch.hasMore).toBe(branch.messages.length < actual.length);
}

describe('the branch of @parley/client', () => {
  it('is the server’s after every event, and after repeats of each', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, fc.boolean()), { maxLength: 60, size: 'max' }), (steps) => {
        const server = new Server();
        let branch = EMPTY;
        for (const [[, run], repeats] of steps) {
          for (const event of run(server)) {
            branch = applyEvent(branch, event);
            if (repeats && !branch.isStale)
              expect(content(applyEvent(branch, event))).toEqual(content(branch));
          }
          if (branch.isStale) branch = applyPage(branch, server.page, true);
          expectInStep(branch, server);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('does nothing at a repeated delta or message', () => {
    const server = new Server();
    const events = [...server.send(), ...server.say('Hello'), ...server.say(' you')];
    const branch = events.reduce(applyEvent, EMPTY);

    for (const event of events.filter(({ type }) => type !== 'conversation.updated')) {
      expect(applyEvent(branch, event)).toBe(branch);
    }
  });

  it('asks to be read again after a gap, and leaves the text as it was', () => {
    const server = new Server();
    const branch = [...server.send(), ...server.say('One')].reduce(applyEvent, EMPTY);
    server.say(' two');

    const after = server.say(' three').reduce(applyEvent, branch);

    expect(after.isStale).toBe(true);
    expect(after.messages).toBe(branch.messages);
    expect(applyPage(after, server.page, true)).toMatchObject({ isStale: false, messages: server.branch });
  });

  it('recovers from any lost events with the next page', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anything, fc.integer({ min: 0, max: 3 })), { maxLength: 60, size: 'max' }),
        (steps) => {
          const server = new Server();
          let branch = EMPTY;
          for (const [[, run], loss] of steps) {
            const events = run(server).filter(() => loss > 0);
            branch = events.reduce(applyEvent, branch);
          }

          branch = applyPage(branch, server.page, true);

          expectInStep(branch, server);
          for (const event of server.say('more')) branch = applyEvent(branch, event);
          expectInStep(branch, server);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('never garbles a text, in whatever order and number events arrive', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(streaming, fc.nat(4), fc.nat(2)), { maxLength: 60, size: 'max' }),
        (steps) => {
          const server = new Server();
          const arrivals = steps.flatMap(([[, run], lateness, copies], at) =>
            run(server).flatMap((event) =>
              Array.from({ length: copies }, (_, n) => ({ event, at: at + n * lateness })),
            ),
          );
          arrivals.sort((a, b) => a.at - b.at);
          let branch = EMPTY;
          for (const { event } of arrivals) {
            branch = applyEvent(branch, event);
            for (const { id, content } of branch.messages)
              expect(server.textOf(id).slice(0, content.length)).toBe(content);
          }

          branch = applyPage(branch, server.page, true);

          expectInStep(branch, server);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('loses nothing to a page or an answer that events have overtaken', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(streaming, fc.constantFrom('event', 'read', 'late page')), {
          maxLength: 60,
          size: 'max',
        }),
        (steps) => {
          const server = new Server();
          let branch = applyPage(EMPTY, server.page, true);
          let late = server.page;
          for (const [[, run], also] of steps) {
            if (also === 'read') late = server.page;
            branch = run(server).reduce(applyEvent, branch);
            if (also === 'late page') branch = { ...applyPage(branch, late, false), isStale: branch.isStale };
            expectInStep(branch, server);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('keeps the identity of what a page does not change', () => {
    const server = new Server();
    let branch = [...server.send(), ...server.say('Hello'), ...server.end('complete')].reduce(
      applyEvent,
      EMPTY,
    );
    branch = applyPage(branch, server.page, true);

    const again = applyPage(branch, server.page, true);

    expect(again.messages).toBe(branch.messages);
    expect(again.conversation).toBe(branch.conversation);
  });

  it('follows an answer that comes after its text', () => {
    const server = new Server();
    const created = server.send();
    const [user_message, assistant_message] = created
      .filter((event) => event.type === 'message.created')
      .map(({ body }) => body.message);
    const branch = [...created, ...server.say('Hi')].reduce(applyEvent, EMPTY);

    const after = applyTurn(branch, { user_message: user_message!, assistant_message: assistant_message! });

    expect(after.messages).toEqual(server.branch);
  });
});

const content = ({ messages, aside }: Branch) => ({ messages, aside });
