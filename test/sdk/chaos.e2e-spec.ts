import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConversationStore, Parley, Reply } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdk, sdkFor, settled, sharedStorage } from '../support/clients/sdk.js';
import { FlakyProxy, randomFrom } from '../support/infrastructure/flaky-proxy.js';
import { until } from '../support/infrastructure/until.js';
import { pause, type Piece } from '../support/provider/provider.js';

const ROUNDS = Number(process.env.NETWORK_ROUNDS ?? 1);
/** Set it to the first seed of a failed run to repeat that run's faults. */
const SEED = Number(process.env.NETWORK_SEED ?? 1);
const CLIENTS = 6;
const SENDS = 3;
const FAST = { initialMs: 10, maxMs: 100 };
const FLAKY = { halves: 0.06, drops: 0.06, delays: 0.2, overtakes: 0.3, maxDelayMs: 30 };
const WORDS = ['Grüße ', '👋🏽 ', 'a', ' longer piece of text, ', '\n\n', '日本語 '];

const seeds = Array.from({ length: ROUNDS }, (_, round) => SEED + round * CLIENTS);

describe('@parley/client through connections that break, stall and overtake each other at random', () => {
  let t: TestApp;
  let ada: TestUser;
  const figures = { broken: 0, sends: 0, texts: 0, reloads: 0 };

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
    const random = randomFrom(SEED);
    t.provider.onRequest = () => reply(random);
  });
  afterAll(async () => {
    console.info('Seeds from %d: %j', SEED, figures);
    await t.stop();
  });

  const proxied = async (seed: number) => {
    const { port } = t.app.getHttpServer().address() as { port: number };
    return t.opened(await FlakyProxy.start(() => port, seed));
  };

  const forEachClient = async (seed: number, work: (proxy: FlakyProxy, seed: number) => Promise<void>) => {
    const proxies = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => proxied(seed + n)));
    await Promise.all(proxies.map((proxy, n) => work(proxy, seed + n)));
    const broken = proxies.reduce((sum, proxy) => sum + proxy.broken, 0);
    expect(broken).toBeGreaterThan(CLIENTS);
    figures.broken += broken;
  };

  it.each(seeds)('shows what is stored, with each message sent once, over sockets (seeds from %i)', (seed) =>
    forEachClient(seed, (proxy) => chat(proxy)),
  );

  it.each(seeds)('does so over HTTP alone (seeds from %i)', (seed) =>
    forEachClient(seed, (proxy) => chat(proxy, (client) => withoutSockets(client))),
  );

  it.each(seeds)('delivers each message once through reloads (seeds from %i)', (seed) =>
    forEachClient(seed, (proxy, own) => reloading(proxy, randomFrom(own))),
  );

  async function chat(proxy: FlakyProxy, prepare = (_client: Parley) => {}): Promise<void> {
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    prepare(client);
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    proxy.flakiness = FLAKY;

    const contents = Array.from({ length: SENDS }, (_, n) => `Message ${n}`);
    const replies = contents.map((content) => conversation.send(content));
    const texts = Promise.all(replies.map(textOf));
    const done = await Promise.all(replies.map((each) => each.done));
    const again = conversation.regenerate();
    const another = await again.done;
    proxy.calmDown();

    const shown = await settled(conversation, ({ messages, running }) => {
      return messages.length === 2 * SENDS && !running && messages.at(-1)!.id === another.id;
    });
    const stored = await ada.history(conversation.id);
    expect(
      shown.messages.map(({ key: _key, failure: _failure, uploads: _uploads, ...each }) => each),
    ).toEqual(stored);
    const answers = [...done.slice(0, -1), another];
    expect(stored.map(({ content }) => content)).toEqual(
      contents.flatMap((content, n) => [content, answers[n]!.content]),
    );
    expect(another.sibling_ids).toEqual([done.at(-1)!.id, another.id]);
    expect(await texts).toEqual(done.map(({ content }) => content));
    expect([...done, another].map(({ status }) => status)).toEqual(Array(SENDS + 1).fill('complete'));
    figures.sends += SENDS + 1;
    figures.texts += SENDS;
    client.close();
  }

  async function reloading(proxy: FlakyProxy, random: () => number): Promise<void> {
    const storage = sharedStorage();
    const options = { baseUrl: proxy.url, storage, reconnect: FAST };
    let client = await sdkFor(t, ada, options);
    const { id } = await client.conversations.create();
    proxy.flakiness = FLAKY;
    const contents = Array.from({ length: SENDS }, (_, n) => `Message ${n}`);

    for (const content of contents) {
      client.conversation(id).send(content);
      await until(() => storage.drafts.some(({ draft }) => draft.body.content === content), 10_000, 1);
      await delay(random() * 150);
      client.close();
      client = sdk(t, options);
      await client.auth.ready;
      figures.reloads++;
    }
    const conversation: ConversationStore = client.conversation(id);
    conversation.subscribe(() => undefined);
    const { messages } = await settled(
      conversation,
      ({ messages: all, running }) =>
        all.length === 2 * SENDS && !running && all.every(({ id }) => id !== null),
      20_000,
    );
    proxy.calmDown();

    const stored = await ada.history(id);
    expect(messages.map(({ key: _key, failure: _failure, uploads: _uploads, ...each }) => each)).toEqual(
      stored,
    );
    expect(stored.filter(({ role }) => role === 'user').map(({ content }) => content)).toEqual(contents);
    figures.sends += SENDS;
    client.close();
  }
});

/** As on a network that blocks the path of Socket.IO. */
function withoutSockets(client: Parley): void {
  Object.assign(client.connection, { baseUrl: 'http://127.0.0.1:9' });
}

async function textOf(reply: Reply): Promise<string> {
  let text = '';
  for await (const piece of reply) text += piece;
  return text;
}

/** A reply of random pieces, some of them late. */
function reply(random: () => number): Piece[] {
  const pieces: Piece[] = [];
  for (let n = 0; n < 12; n++) {
    pieces.push(WORDS[Math.floor(random() * WORDS.length)]!);
    if (random() < 0.5) pieces.push(pause(random() * 30));
  }
  return pieces;
}
