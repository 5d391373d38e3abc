import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { finish, gate, type Piece, reasoning } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(() => t.stop());

/** Sets the outcome of the next turn. */
type Turn = () => void;
const says =
  (...script: Piece[]): Turn =>
  () =>
    t.provider.willStream(...script);
const refuses: Turn = () => t.provider.willAnswer(401, { error: { message: 'No such key' } });

/** Plays turns with the messages One, Two, … and returns the prompt of a last one, Last. */
async function promptAfter(turns: Turn[], user = ada, conversation: object = {}): Promise<string[][]> {
  const { id } = await user.createConversation({ title: 'Turns', ...conversation });
  for (const [index, play] of turns.entries()) {
    play();
    await user.send(id, ['One', 'Two', 'Three', 'Four'][index]!);
  }
  await user.send(id, 'Last');
  return t.provider.chats.at(-1)!.body.messages!.map(({ role, content }) => [role, content]);
}

describe('a prompt', () => {
  it.each<[what: string, turns: Turn[], prompt: string[][]]>([
    ['a refused turn', [refuses], [['user', 'One\n\nLast']]],
    ['two refused turns', [refuses, refuses], [['user', 'One\n\nTwo\n\nLast']]],
    ['a reply of white space', [says(' \n\t ', finish('stop'))], [['user', 'One\n\nLast']]],
    ['thoughts alone', [says(reasoning('Hm'), finish('stop'))], [['user', 'One\n\nLast']]],
    [
      'a refused turn after a good one',
      [says('Yes'), refuses],
      [
        ['user', 'One'],
        ['assistant', 'Yes'],
        ['user', 'Two\n\nLast'],
      ],
    ],
    [
      'a good turn after a refused one',
      [refuses, says('Yes')],
      [
        ['user', 'One\n\nTwo'],
        ['assistant', 'Yes'],
        ['user', 'Last'],
      ],
    ],
    [
      'a reply with white space around, which is kept',
      [says('\n Yes \n')],
      [
        ['user', 'One'],
        ['assistant', '\n Yes \n'],
        ['user', 'Last'],
      ],
    ],
  ])('alternates roles after %s', async (_, turns, prompt) => {
    expect(await promptAfter(turns)).toEqual(prompt);
  });

  it('alternates roles after a stopped turn without text', async () => {
    const { id } = await ada.createConversation({ title: 'Stopped' });
    t.provider.willStream(gate());
    const asked = t.provider.chats.length;
    const sent = ada.send(id, 'One');
    await t.provider.waitForRequests(asked + 1);
    await ada.post(`/conversations/${id}/stop`);
    await sent;

    await ada.send(id, 'Two');

    expect(t.provider.chats.at(-1)!.body.messages).toEqual([{ role: 'user', content: 'One\n\nTwo' }]);
  });

  it('omits a system prompt of white space', async () => {
    expect(await promptAfter([], ada, { system_prompt: ' \n ' })).toEqual([['user', 'Last']]);
    expect(await promptAfter([refuses], ada, { system_prompt: 'Be brief.' })).toEqual([
      ['system', 'Be brief.'],
      ['user', 'One\n\nLast'],
    ]);
  });

  it('alternates roles and begins with the user when it is cut too', async () => {
    const config = { context_tokens: 512, params: { max_tokens: 400 } };
    const eve = await t.user().withConfig(t.provider, config).create();
    const long = says('the quick brown fox jumps over the lazy dog. '.repeat(20));

    const prompt = await promptAfter([long, refuses, refuses], eve);

    expect(prompt).toEqual([['user', 'Two\n\nThree\n\nLast']]);
  });
});
