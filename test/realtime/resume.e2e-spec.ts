import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { setImmediate as immediate } from 'node:timers/promises';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onRedis } from '../support/infrastructure/database.js';
import type { CompletionBody, Script, Step } from '../support/provider/provider.js';
import { pause } from '../support/provider/provider.js';
import { RovingClient, type Transport, type Stay } from '../support/clients/roving-client.js';
import type { TestUser } from '../support/app/user.js';

const TRANSPORTS: Transport[] = ['post', 'events', 'socket.io', 'websocket'];
const SEED = Number(process.env.RESUME_SEED ?? 20260131);
const CONVERSATIONS = 40;
const CLIENTS = 3;

const scripts = new Map<string, Script>();

/** The first node's provider is everybody's. @returns users, each at every node */
async function usersOf([first, ...others]: [TestApp, ...TestApp[]]): Promise<TestUser[][]> {
  first.provider.onRequest = (body: CompletionBody) => scripts.get(body.messages!.at(-1)!.content);
  const users = Array.from({ length: 4 }, () => first.user().withConfig(first.provider).create());
  return (await Promise.all(users)).map((user) => [user, ...others.map((node) => user.on(node))]);
}

/** How a piece of text travels: in one delta, one byte a packet, or as a delta for each half of a surrogate pair. */
type Travel = 'whole' | 'bytes' | 'halves';

interface TextPiece {
  part: 'content' | 'reasoning_content';
  text: string;
  travel: Travel;
  pauseMs: number;
}

interface Scenario {
  pieces: TextPiece[];
  itineraries: { stays: Stay[]; last: Transport; lastNode: number }[];
}

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '👩‍👩‍👧‍👦',
      '🏳️‍🌈 and 🇨🇳',
      'e\u0301\u0323 o\u0308\u0304',
      '你好,世界。',
      'مرحبا \u202bبالعالم\u202c',
      'שָׁלוֹם',
      'नमस्ते',
      '\n\n```js\nif (a < b) {}\n```\n',
      'data: x\r\n\r\n',
      '\u2028\u2029\ufeff\u200d',
    ),
  },
);

const piece = (part: TextPiece['part']) =>
  fc.record<TextPiece>({
    part: fc.constant(part),
    text,
    travel: fc.constantFrom<Travel>('whole', 'whole', 'whole', 'bytes', 'halves'),
    pauseMs: fc.nat(40),
  });

const stay = fc.record<Stay>({
  transport: fc.constantFrom(...TRANSPORTS),
  node: fc.nat(1),
  events: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
});

const itinerary = fc.record({
  stays: fc.array(stay, { minLength: 2, maxLength: 5 }),
  last: fc.constantFrom(...TRANSPORTS),
  lastNode: fc.nat(1),
});

const scenario = fc.record<Scenario>({
  pieces: fc
    .tuple(
      fc.array(piece('reasoning_content'), { maxLength: 15 }),
      fc.array(piece('content'), { minLength: 15, maxLength: 45 }),
    )
    .map(([reasoning, content]) => [...reasoning, ...content]),
  itineraries: fc.array(itinerary, { minLength: CLIENTS, maxLength: CLIENTS }),
});

function play(pieces: TextPiece[]): Script {
  return pieces.flatMap(({ part, text, travel, pauseMs }) => {
    const deltas = travel === 'halves' ? text.split('') : [text];
    const steps = deltas.map((delta): Step => (stream) => {
      return travel === 'bytes' ? bytewise(stream, { [part]: delta }) : stream.delta({ [part]: delta });
    });
    return [...steps, pause(pauseMs)];
  });
}

const bytewise = async (stream: Parameters<Step>[0], delta: object): Promise<void> => {
  const event = `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`;
  for (const byte of Buffer.from(event)) {
    await stream.write(Uint8Array.of(byte));
    await immediate();
  }
};

/** The stored form of a part: NULs are replaced. */
function sent(pieces: TextPiece[], part: TextPiece['part']): string {
  const texts = pieces.filter((each) => each.part === part).map((each) => each.text);
  return texts.join('').replaceAll('\0', '\ufffd');
}

async function runScenario(users: TestUser[][], { pieces, itineraries }: Scenario, index: number) {
  const nodes = users[index % users.length]!;
  const user = nodes[0]!;
  const { id } = await user.createConversation({ title: 'Resumed' });
  const message = { content: `Scenario ${index} ${randomUUID()}`, client_message_id: randomUUID() };
  scripts.set(message.content, play(pieces));

  const clients = itineraries.map(
    (_, n) => new RovingClient(`client ${index}.${n}`, nodes, id, message, n === 0),
  );
  await Promise.all(
    itineraries.map(async ({ stays, last, lastNode }, n) => {
      for (const each of stays) await clients[n]!.stay(each);
      await clients[n]!.stayOn(last, lastNode);
    }),
  );

  const reply = { content: sent(pieces, 'content'), reasoning: sent(pieces, 'reasoning_content') };
  expect(await user.history(id)).toMatchObject([
    { content: message.content },
    { ...reply, status: 'complete' },
  ]);
  for (const { reader } of clients) expect(reader.reply).toMatchObject({ ...reply, status: 'complete' });
  return clients.reduce((sum, { drops }) => sum + drops, 0);
}

/** @returns how often clients dropped in the middle */
async function runAll(users: TestUser[][]): Promise<number> {
  const scenarios = fc.array(scenario, { minLength: CONVERSATIONS, maxLength: CONVERSATIONS });
  let drops = 0;
  const property = fc.asyncProperty(scenarios, async (all) => {
    const each = await Promise.all(all.map((made, index) => runScenario(users, made, index)));
    drops = each.reduce((sum, count) => sum + count, 0);
  });
  await fc.assert(property, { seed: SEED, numRuns: 1, endOnFailure: true });
  if (process.env.DEBUG) console.log(`${drops} drops in the middle`);
  return drops;
}

describe('one node', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp();
  });
  afterAll(() => t.stop());

  it('sends every client the same text through any reconnects over any transports', async () => {
    const drops = await runAll(await usersOf([t]));

    expect(drops).toBeGreaterThan(300);
    expect(t.provider.chats).toHaveLength(CONVERSATIONS);
  }, 180_000);
});

onRedis('two nodes', (REDIS_URL) => {
  let one: TestApp;
  let two: TestApp;
  beforeAll(async () => {
    one = await startTestApp({ env: { REDIS_URL } });
    two = await one.startNode();
  });
  afterAll(async () => {
    await two.stop();
    await one.stop();
  });

  it('send every client the same text through reconnects to either', async () => {
    const drops = await runAll(await usersOf([one, two]));

    expect(drops).toBeGreaterThan(200);
    expect(one.provider.chats).toHaveLength(CONVERSATIONS);
  }, 180_000);
});
