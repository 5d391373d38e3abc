import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createParley, type Parley } from '../../sdk/typescript/src/index.js';
import { startTestNodes, type TestNode, type TestNodes } from '../support/app/process.js';
import type { TestUser } from '../support/app/user.js';
import { settled } from '../support/clients/sdk.js';
import { FlakyProxy } from '../support/infrastructure/flaky-proxy.js';
import { pause } from '../support/provider/provider.js';

const SENDS = 8;
const CLIENTS = 4;
const { TEST_REDIS_URL: REDIS_URL } = process.env;
const ENV = REDIS_URL ? { REDIS_URL } : {};
/** Several nodes need Redis. */
const NODES = REDIS_URL ? 2 : 1;
/** Refuses connections. */
const NO_NODE = 'http://127.0.0.1:9';

describe('@parley/client through a restart of each node in turn', () => {
  let nodes: TestNodes;
  let running: TestNode[];
  let balancer: FlakyProxy;
  let ada: TestUser;

  beforeAll(async () => {
    nodes = await startTestNodes();
    running = await Promise.all(Array.from({ length: NODES }, () => nodes.start(ENV)));
    ada = await running[0]!.user().withConfig(nodes.provider).create();
    let next = 0;
    balancer = await FlakyProxy.start(
      () => Number(new URL(running[next++ % running.length]?.url ?? NO_NODE).port),
      1,
    );
  }, 60_000);
  afterAll(async () => {
    await balancer.close();
    await nodes.stop();
  });

  /** Replaces a node: the balancer leaves it out from the signal on. */
  async function restart(node: TestNode): Promise<void> {
    running = running.filter((each) => each !== node);
    node.process.signal('SIGTERM');
    expect((await node.process.exited).code).toBe(0);
    running = [...running, await nodes.start(ENV)];
  }

  async function signIn(): Promise<Parley> {
    const parley = createParley({ baseUrl: balancer.url, reconnect: { initialMs: 20, maxMs: 200 } });
    await parley.auth.login({ email: ada.email, password: ada.password });
    return parley;
  }

  async function chat(parley: Parley, id: number): Promise<void> {
    const conversation = parley.conversation(id);
    conversation.subscribe(() => undefined);
    const texts: string[] = [];
    const done = [];
    for (let n = 0; n < SENDS; n++) {
      const reply = conversation.send(`Message ${n}`);
      let text = '';
      for await (const piece of reply) text += piece;
      texts.push(text);
      done.push(await reply.done);
    }
    const { messages } = await settled(conversation, ({ messages: all }) => all.length === 2 * SENDS);

    const stored = await running[0]!.welcome(ada).history(conversation.id);
    expect(messages.map(({ key: _key, failure: _failure, uploads: _uploads, ...each }) => each)).toEqual(
      stored,
    );
    expect(texts).toEqual(done.map(({ content }) => content));
    expect(done.map(({ status }) => status)).toEqual(Array(SENDS).fill('complete'));
    expect(stored.filter(({ role }) => role === 'user')).toHaveLength(SENDS);
    parley.close();
  }

  it('shows what is stored, with each message sent once', async () => {
    nodes.provider.onRequest = () => ['Half 👋🏽 ', pause(300), 'and ', pause(300), 'half'];

    const clients = await Promise.all(Array.from({ length: CLIENTS }, signIn));
    const ids = await Promise.all(
      clients.map(async ({ conversations }) => (await conversations.create()).id),
    );

    const chats = Promise.all(clients.map((client, n) => chat(client, ids[n]!)));
    for (const node of [...running]) await restart(node);

    await chats;
  }, 120_000);
});
