import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  applyEvent,
  applyPage,
  applyTurn,
  type Branch,
  EMPTY,
} from '../../sdk/typescript/src/conversations/branch.js';
import type { Message } from '../../sdk/typescript/src/index.js';
import type { LiveEvent } from '../../sdk/typescript/src/live/events.js';
import { counted, refusable, step, Step } from '../support/clients/played-run.js';
import { comparable, ConversationModel, knownPart, type Part } from '../support/model/conversation-model.js';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 12) * 15;

type Act = (server: ConversationModel) => void;

const anew = () => new ConversationModel(1);

/** Returns the events of an act; none where the server refuses it. */
function eventsOf(server: ConversationModel, act: Act): LiveEvent[] {
  const before = server.events.length;
  refusable(() => act(server));
  return server.events.slice(before);
}

let asked = 0;
const send: Act = (server) => server.send({ content: `Question ${asked++}` });
const say =
  (text: string, part?: Part): Act =>
  (server) =>
    server.say(text, part);
const end: Act = (server) => server.end();

const text = fc.constantFrom('a', 'ab', 'ba', '👋', 'Grüße', '\n');
const streaming = fc.oneof(
  step('send', send),
  text.map((said) => new Step(`say ${said}`, say(said))),
  text.map((said) => new Step(`think ${said}`, say(said, 'reasoning'))),
  step('end', end),
);
const anything: fc.Arbitrary<Step<ConversationModel>> = fc.oneof(
  { arbitrary: streaming, weight: 3 },
  counted<ConversationModel>('edit', (server, n) =>
    server.edit(server.anyOf('user', n), { content: `Edit ${asked++}` }),
  ),
  counted<ConversationModel>('regenerate', (server, n) => server.regenerate(server.anyOf('assistant', n))),
  counted<ConversationModel>('activate', (server, n) => server.activate(server.anyOf('assistant', n))),
  step<ConversationModel>('restart', (server) => server.restart()),
  step<ConversationModel>('crash', (server) => server.crash()),
  step<ConversationModel>('fail', (server) => server.end('failed')),
);

/** @param held what the client has to know at the least, if it is still on the branch; oldest first */
function expectInStep(
  branch: Branch,
  server: ConversationModel,
  held: readonly Message[] = server.page().messages,
): void {
  const { branch: actual } = server;
  const known = knownPart(actual, branch.messages.length, held[0]);
  expect(comparable(branch.messages, held[0])).toEqual(comparable(known, held[0]));
  expect(branch.hasMore).toBe(branch.messages.length < actual.length);
}

describe('the branch of @parley/client', () => {
  it('is the server’s after every event, and after repeats of each', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, fc.boolean()), { maxLength: 60, size: 'max' }), (steps) => {
        const server = anew();
        let branch = EMPTY;
        for (const [{ act }, repeats] of steps) {
          let held = branch.messages;
          for (const event of eventsOf(server, act)) {
            branch = applyEvent(branch, event);
            if (repeats && !branch.isStale)
              expect(content(applyEvent(branch, event))).toEqual(content(branch));
          }
          if (branch.isStale) {
            held = server.page().messages;
            branch = applyPage(branch, server.page());
          }
          expectInStep(branch, server, held);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('does nothing at a repeated delta or message', () => {
    const server = anew();
    const events = [send, say('Hello'), say(' you')].flatMap((act) => eventsOf(server, act));
    const branch = events.reduce(applyEvent, EMPTY);

    for (const event of events.filter(({ type }) => type !== 'conversation.updated')) {
      expect(applyEvent(branch, event)).toBe(branch);
    }
  });

  it('asks to be read again after a gap, and leaves the text as it was', () => {
    const server = anew();
    const branch = [send, say('One')].flatMap((act) => eventsOf(server, act)).reduce(applyEvent, EMPTY);
    server.say(' two');

    const after = eventsOf(server, say(' three')).reduce(applyEvent, branch);

    expect(after.isStale).toBe(true);
    expect(after.messages).toBe(branch.messages);
    expect(applyPage(after, server.page())).toMatchObject({ isStale: false, messages: server.branch });
  });

  it('recovers from any lost events with the next page', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anything, fc.integer({ min: 0, max: 3 })), { maxLength: 60, size: 'max' }),
        (steps) => {
          const server = anew();
          let branch = EMPTY;
          for (const [{ act }, loss] of steps) {
            const events = eventsOf(server, act).filter(() => loss > 0);
            branch = events.reduce(applyEvent, branch);
          }

          branch = applyPage(branch, server.page());

          expectInStep(branch, server);
          for (const event of eventsOf(server, say('more'))) branch = applyEvent(branch, event);
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
          const server = anew();
          const arrivals = steps.flatMap(([{ act }, lateness, copies], at) =>
            eventsOf(server, act).flatMap((event) =>
              Array.from({ length: copies }, (_, n) => ({ event, at: at + n * lateness })),
            ),
          );
          arrivals.sort((a, b) => a.at - b.at);
          let branch = EMPTY;
          for (const { event } of arrivals) {
            branch = applyEvent(branch, event);
            for (const { id, content } of branch.messages)
              expect(server.find(id).content.slice(0, content.length)).toBe(content);
          }

          branch = applyPage(branch, server.page());

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
          const server = anew();
          let branch = applyPage(EMPTY, server.page());
          let late = { page: server.page(), basis: branch };
          for (const [{ act }, also] of steps) {
            if (also === 'read') late = { page: server.page(), basis: branch };
            branch = eventsOf(server, act).reduce(applyEvent, branch);
            if (also === 'late page')
              branch = { ...applyPage(branch, late.page, late.basis), isStale: branch.isStale };
            expectInStep(branch, server);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('keeps the identity of what a page does not change', () => {
    const server = anew();
    let branch = [send, say('Hello'), end].flatMap((act) => eventsOf(server, act)).reduce(applyEvent, EMPTY);
    branch = applyPage(branch, server.page());

    const again = applyPage(branch, server.page());

    expect(again.messages).toBe(branch.messages);
    expect(again.conversation).toBe(branch.conversation);
  });

  it('follows an answer that comes after its text', () => {
    const server = anew();
    const created = eventsOf(server, send);
    const [user_message, assistant_message] = created
      .filter((event) => event.type === 'message.created')
      .map(({ body }) => body.message);
    const branch = [...created, ...eventsOf(server, say('Hi'))].reduce(applyEvent, EMPTY);

    const after = applyTurn(branch, { user_message: user_message!, assistant_message: assistant_message! });

    expect(after.messages).toEqual(server.branch);
  });
});

const content = ({ messages, aside }: Branch) => ({ messages, aside });
