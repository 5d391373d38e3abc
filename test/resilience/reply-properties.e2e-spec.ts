import { afterAll, beforeAll, it } from '@jest/globals';
import fc from 'fast-check';
import { RecoveryPace } from '../../src/chat/replies/recovery/recovery-pace.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { ChatModel, type ModelMessage, type ReplyPlan, type Request } from '../support/model/chat-model.js';
import { ChatWorld, type AskingTransport } from '../support/model/chat-world.js';
import type { ObserverTransport } from '../support/clients/observer.js';
import type { TestUser } from '../support/app/user.js';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 12);
const MAX_COMMANDS = 12;
const OBSERVERS = 3;

let t: TestApp;
let ada: TestUser;

beforeAll(async () => {
  const pace = { beatIntervalMs: 50, leaseMs: 400 };
  t = await startTestApp({ env: { SHUTDOWN_GRACE_S: '0' }, providers: [[RecoveryPace, pace]] });
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(() => t.stop());

type Act = (model: ChatModel, world: ChatWorld) => Promise<void>;
type Command = fc.AsyncCommand<ChatModel, ChatWorld>;

/** Defines a command: name, arguments, precondition, and effect on model and server. */
function command<A>(
  name: string,
  args: fc.Arbitrary<A>,
  act: (args: A) => Act,
  check: (model: Readonly<ChatModel>, args: A) => boolean = () => true,
): fc.Arbitrary<Command> {
  return args.map((made) => ({
    check: (model) => check(model, made),
    run: async (model, world) => {
      await act(made)(model, world);
      await world.verify(model);
    },
    toString: () => `${name}(${fc.stringify(made)})`,
  }));
}

const words = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.replaceAll('\0', ''));

const plan: fc.Arbitrary<ReplyPlan> = fc
  .record<ReplyPlan>({
    held: fc.boolean(),
    reasoning: fc.oneof(fc.constant(''), words),
    before: words,
    after: words.map((text) => `${text}.`),
    ending: fc.constantFrom('whole', 'whole', 'whole', 'cut', 'error', 'refused', 'limited', 'second try'),
  })
  .map((made) => {
    const early = made.ending === 'refused' || made.ending === 'limited';
    return early ? { ...made, held: false, reasoning: '', before: '', after: '' } : made;
  });

const content = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((text) => `Q ${text}`);
/** Few ids, so that they are reused with equal and different content. */
const clientMessageId = fc.option(
  fc.constantFrom('1', '2', '3').map((n) => `0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7a${n}`),
  { nil: undefined },
);
const askingTransport = fc.constantFrom<AskingTransport>('sse', 'socket.io', 'websocket');
const observerTransport = fc.constantFrom<ObserverTransport>('events', 'socket.io', 'websocket');
const observer = fc.nat(OBSERVERS - 1);
/** Index of an existing message, modulo their number. */
const pick = fc.nat(1000);
/** Picks a message, usually of the given role. */
const pickOf = (role: string, { messages }: ChatModel, n: number): number => {
  const fit = messages.filter((message) => message.role === role);
  return picked(n % 5 ? fit : messages, n).id;
};
const picked = (messages: readonly ModelMessage[], n: number) => messages[n % messages.length]!;

const hasMessages = ({ messages }: Readonly<ChatModel>) => messages.length > 0;
const isRunning = ({ running }: Readonly<ChatModel>) => running !== null;
const isThere = ({ deleted }: Readonly<ChatModel>) => !deleted;

const send = command(
  'send',
  fc.record({ content, clientMessageId, transport: askingTransport, plan }),
  ({ transport, plan, ...message }) =>
    (model, world) =>
      world.ask(model, { kind: 'send', ...message }, transport, plan),
);
const repeat = command(
  'repeat',
  fc.record({ pick, transport: askingTransport, plan }),
  ({ pick, transport, plan }) =>
    (model, world) => {
      const { content, clientMessageId } = picked(repeatable(model), pick);
      return world.ask(model, { kind: 'send', content, clientMessageId: clientMessageId! }, transport, plan);
    },
  (model) => repeatable(model).length > 0,
);
const repeatable = ({ messages }: Readonly<ChatModel>) =>
  messages.filter((message) => message.clientMessageId !== null);
const edit = command(
  'edit',
  fc.record({ pick, content, clientMessageId, transport: askingTransport, plan }),
  ({ pick, transport, plan, ...message }) =>
    (model, world) => {
      const request: Request = { kind: 'edit', messageId: pickOf('user', model, pick), ...message };
      return world.ask(model, request, transport, plan);
    },
  hasMessages,
);
const regenerate = command(
  'regenerate',
  fc.record({ pick, transport: askingTransport, plan }),
  ({ pick, transport, plan }) =>
    (model, world) =>
      world.ask(model, { kind: 'regenerate', messageId: pickOf('assistant', model, pick) }, transport, plan),
  hasMessages,
);
const activate = command(
  'activate',
  fc.record({ pick }),
  ({ pick }) =>
    (model, world) =>
      world.activate(model, picked(model.messages, pick).id),
  hasMessages,
);
const nothing = fc.constant({});
const finish = command('finish', nothing, () => (model, world) => world.finish(model), isRunning);
const stop = command('stop', nothing, () => (model, world) => world.stop(model));
const race = command('finishAndStop', nothing, () => (model, world) => world.finishAndStop(model), isRunning);
const restart = command('restart', nothing, () => (model, world) => world.restart(model));
const crash = command(
  'crash',
  fc.record({ stop: fc.boolean() }),
  ({ stop }) =>
    (model, world) =>
      world.crash(model, stop),
);
const remove = command('delete', nothing, () => (model, world) => world.delete(model));
const connect = command(
  'connect',
  fc.record({ observer, transport: observerTransport }),
  ({ observer, transport }) =>
    async (model, world) => {
      await world.observers[observer]!.drop();
      await world.observers[observer]!.connect(transport, model);
    },
  isThere,
);
const reconnect = command(
  'reconnect',
  fc.record({ observer }),
  ({ observer }) =>
    (model, world) =>
      world.observers[observer]!.reconnect(model),
  isThere,
);
const drop = command(
  'drop',
  fc.record({ observer }),
  ({ observer }) =>
    (_, world) =>
      world.observers[observer]!.drop(),
);

/** Commands, with repetition as weight. */
const commands = fc.commands(
  [
    ...[send, send, send, repeat, edit, regenerate, activate],
    ...[finish, finish, stop, race],
    ...[connect, connect, drop, drop, reconnect, reconnect],
    ...[restart, crash],
    ...[remove],
  ],
  { maxCommands: MAX_COMMANDS, size: 'max' },
);

/** Stops the reply, reconnects all clients and compares them with the model. */
async function conclude(model: ChatModel, world: ChatWorld, transports: ObserverTransport[]): Promise<void> {
  if (model.running) await world.stop(model);
  if (!model.deleted) {
    for (const [n, each] of world.observers.entries()) {
      await each.drop();
      await each.connect(transports[n]!, model);
    }
  }
  await world.verify(model);
  await world.verifyRows(model);
  await Promise.all(world.observers.map((each) => each.lose()));
}

it('clients see a consistent history through random sends, stops, drops, errors, restarts and crashes', async () => {
  const lastTransports = fc.array(observerTransport, { minLength: OBSERVERS, maxLength: OBSERVERS });
  const property = fc.asyncProperty(commands, lastTransports, async (given, transports) => {
    const model = new ChatModel();
    const world = await ChatWorld.create(t, ada, OBSERVERS);
    await fc.asyncModelRun(() => ({ model, real: world }), given);
    await conclude(model, world, transports);
  });
  const seed = process.env.PROPERTY_SEED ? { seed: Number(process.env.PROPERTY_SEED) } : {};
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true, ...seed });
}, 300_000);
