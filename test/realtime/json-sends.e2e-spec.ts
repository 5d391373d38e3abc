/** Sends that wait for the whole reply as JSON. */
import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { ConfigsService } from '../../src/configs/configs.service.js';
import { EventHub } from '../../src/events/event-hub.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { within } from '../support/clients/event-log.js';
import { isCompleted } from '../support/clients/events.js';
import { expectProblem } from '../support/clients/problems.js';
import { until } from '../support/infrastructure/until.js';
import { gate, type PlayedProvider } from '../support/provider/provider.js';

let t: TestApp;
let provider: PlayedProvider;
let user: TestUser;
let device: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  provider = t.provider;
});
afterAll(() => t?.stop());
beforeEach(async () => {
  user = await t.user().withConfig(provider).create();
  device = await user.signInAgain();
});

/** Waits until no part of the server listens to what happens to the user's things. */
async function noListenersLeft(): Promise<void> {
  const listening = () => t.app.get(EventHub).subscribedUsers().includes(user.id);
  await until(() => !listening(), 3000);
}

it.each(['chat', 'edit', 'regenerate'])(
  'a session ends its waiting %s, whose reply goes on',
  async (call) => {
    const { id } = await user.createConversation();
    const { user_message, assistant_message } = (await user.send(id, 'Hi')).body;
    const paths: Record<string, string> = {
      edit: `messages/${user_message.id}/edit`,
      regenerate: `messages/${assistant_message.id}/regenerate`,
    };
    const held = gate();
    provider.willStream('so far', held, ', and the rest');
    const asked = provider.chats.length;
    const body = call === 'regenerate' ? {} : { content: 'Hi' };
    const waiting = device.post(`/conversations/${id}/${paths[call] ?? call}`, body, {
      Accept: 'application/json',
    });
    await provider.waitForRequests(asked + 1);

    await device.post('/auth/logout');
    const answer = await within(waiting, 'It did not end', 1000);
    const followed = await user.sse(`/conversations/${id}/events`);
    held.open();
    await followed.until(isCompleted);

    expectProblem(answer, 401, 'token_revoked');
    expect((await user.history(id)).at(-1)).toMatchObject({
      content: 'so far, and the rest',
      status: 'complete',
    });
    await followed.close();
    await noListenersLeft();
  },
);

it('a session ends its send also while the turn starts', async () => {
  const { id } = await user.createConversation();
  provider.willStream('so far', gate());
  const configs = t.app.get(ConfigsService);
  const find = configs.findForConversation.bind(configs);
  jest.spyOn(configs, 'findForConversation').mockImplementationOnce(async (...args) => {
    await user.post('/auth/sessions/revoke-others');
    return find(...args);
  });

  expectProblem(await device.send(id, 'Hi'), 401, 'token_revoked');
  expect((await user.post(`/conversations/${id}/stop`)).status).toBe(200);
  await noListenersLeft();
});

it('a session ends no send of another', async () => {
  const { id } = await user.createConversation();
  const held = gate();
  provider.willStream('so far', held, ', and the rest');
  const asked = provider.chats.length;
  const waiting = user.send(id, 'Hi');
  await provider.waitForRequests(asked + 1);

  await device.post('/auth/logout');
  held.open();

  expect((await waiting).body.assistant_message.content).toBe('so far, and the rest');
  await noListenersLeft();
});
