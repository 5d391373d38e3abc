import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import {
  errorEvent,
  finish,
  noDone,
  type PlayedRequest,
  reasoning,
  type Script,
} from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().withConfig(t.provider).create();
  t.provider.title = 'A fine title';
});

const titleRequests = () => t.provider.requests.filter(({ isTitle }) => isTitle);
const titleOf = async (id: number) => (await ada.get<Thing>(`/conversations/${id}`)).body;

/** Waits for the title of a conversation to come from the model. */
async function titled(id: number): Promise<Thing> {
  for (;;) {
    const conversation = await titleOf(id);
    if (conversation.title_source === 'auto') return conversation;
    await new Promise(setImmediate);
  }
}

/** The title of another conversation comes after what was asked for before. */
async function settled(): Promise<void> {
  t.provider.title = 'Another title';
  const { id } = await ada.createConversation();
  await ada.send(id, 'Settle');
  await titled(id);
}

describe('a title request', () => {
  it('sends no params, and its instruction in a single user message', async () => {
    const params = {
      temperature: 0.5,
      top_p: 0.5,
      max_tokens: 9,
      frequency_penalty: 1,
      presence_penalty: 1,
      seed: 1,
      stop: ['e'],
      logit_bias: { 1: 1 },
      response_format: { type: 'json_object' },
      extra_body: { top_k: 1, enable_thinking: true },
    };
    const bob = await t.user().withConfig(t.provider, { params }).create();
    const { id } = await bob.createConversation({ params, system_prompt: 'Speak like a pirate.' });
    const before = titleRequests().length;
    await bob.send(id, 'Ahoy there');
    while (titleRequests().length === before) await new Promise(setImmediate);

    const { body } = titleRequests().at(-1) as PlayedRequest;
    expect(Object.keys(body).sort()).toEqual(['messages', 'model', 'stream', 'stream_options']);
    expect(body.messages).toEqual([
      {
        role: 'user',
        content: expect.stringMatching(/^Write a title[^]*Ahoy there[^]*Hello from the model\.$/),
      },
    ]);
  });
});

describe('a title', () => {
  it.each<[what: string, answer: string | Script]>([
    ['in a fence, with a label', '```\nTitle: A fine title\n```'],
    ['after thoughts', [reasoning('Hm. '.repeat(5000)), 'A fine title']],
    ['after thoughts in its text', `<think>${'Hm. '.repeat(1000)}</think>A fine title`],
    ['without a finish reason', ['A fine title', noDone()]],
  ])('is read %s', async (what, answer) => {
    t.provider.title = answer;
    const { id } = await ada.createConversation();
    await ada.send(id, what);

    if (what === 'without a finish reason') await settled();
    else expect(await titled(id)).toMatchObject({ title: 'A fine title' });
  });

  it.each<[what: string, answer: Script]>([
    ['was cut off', ['A fine tit', finish('length')]],
    ['was cut off by another name', ['A fine tit', finish('MAX_TOKENS')]],
    ['was filtered', ['A fine tit', finish('content_filter')]],
    ['broke off', ['A fine tit', errorEvent({ message: 'No' })]],
    ['is a refusal', ["I'm sorry, but I can't help with that."]],
    ['is too long', ['A very fine title '.repeat(6)]],
    ['never ends', ['A very fine title '.repeat(10_000)]],
    ['is empty', ['']],
  ])('that %s is ignored in favour of the first words', async (what, answer) => {
    t.provider.title = answer;
    const before = titleRequests().length;
    const { id } = await ada.createConversation();
    await ada.send(id, `Asked: ${what}`);
    while (titleRequests().length === before) await new Promise(setImmediate);
    await titleRequests().at(-1)!.closed;
    await settled();

    expect(await titleOf(id)).toMatchObject({ title: `Asked: ${what}`, title_source: 'default' });
  });
});

describe('a title is requested', () => {
  it('after the first complete reply, when earlier ones failed', async () => {
    const { id } = await ada.createConversation();
    const before = titleRequests().length;
    for (const words of ['One', 'Two']) {
      t.provider.willAnswer(401, { error: { message: 'No such key' } });
      await ada.send(id, words);
    }
    expect(titleRequests()).toHaveLength(before);

    await ada.send(id, 'Three');

    expect(await titled(id)).toMatchObject({ title: 'A fine title' });
    expect(titleRequests().at(-1)!.body.messages![0]!.content).toContain('Three');
  });

  it('after a failed reply is regenerated', async () => {
    const { id } = await ada.createConversation();
    t.provider.willAnswer(401, { error: { message: 'No such key' } });
    await ada.send(id, 'One');
    const [, reply] = await ada.history(id);

    await ada.post(
      `/conversations/${id}/messages/${reply!.id}/regenerate`,
      {},
      { Accept: 'application/json' },
    );

    expect(await titled(id)).toMatchObject({ title: 'A fine title' });
  });

  it('only once, whatever its outcome', async () => {
    const { id } = await ada.createConversation();
    const before = titleRequests().length;
    t.provider.title = [errorEvent({ message: 'No' })];
    await ada.send(id, 'One');
    await ada.send(id, 'Two');
    const [, reply] = await ada.history(id);
    await ada.post(
      `/conversations/${id}/messages/${reply!.id}/regenerate`,
      {},
      { Accept: 'application/json' },
    );
    await settled();

    expect(titleRequests()).toHaveLength(before + 2);
  });
});

/** The last of this file, as two applications of one process share their strategies of passport. */
it('the demo model titles conversations too', async () => {
  const demo = await startTestApp({ env: { DEMO_MODEL: 'true' } });
  try {
    ada = await demo.user().create();
    const { id } = await ada.createConversation();
    await ada.send(id, 'How do lighthouses work?');

    expect(await titled(id)).toMatchObject({ title: 'How do lighthouses work' });
  } finally {
    await demo.stop();
  }
});
