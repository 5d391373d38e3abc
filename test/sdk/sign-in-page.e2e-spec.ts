import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdk, sdkFor, settled, sharedStorage, storeTokenWithSecondsLeft } from '../support/clients/sdk.js';
import { PrefixProxy } from '../support/infrastructure/prefix-proxy.js';

const FAST = { initialMs: 20, maxMs: 200 };
const UNREACHABLE = { code: 'network_error', status: 0 };

/** As in a hotel: until the guest agrees to something, every request is answered with a page, by status 200. */
describe('@parley/client on a network with a sign-in page', () => {
  let t: TestApp;
  let ada: TestUser;
  let proxy: PrefixProxy;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
    proxy = await PrefixProxy.start('', () => t.url);
    t.opened({ close: async () => proxy.stop() });
  });
  afterAll(() => t.stop());

  const showPage = () => {
    proxy.judge = () => 'page';
    proxy.breakAll();
  };
  const agree = () => void (proxy.judge = () => 'pass');

  it('stays signed in although its token has to be refreshed there', async () => {
    const storage = sharedStorage();
    const options = { storage, baseUrl: proxy.url, reconnect: FAST };
    (await sdkFor(t, ada, options)).close();
    storeTokenWithSecondsLeft(t, storage, -1);
    showPage();
    const client = sdk(t, options);

    await expect(client.conversations.refresh()).rejects.toMatchObject(UNREACHABLE);
    await expect(client.auth.reload()).rejects.toMatchObject(UNREACHABLE);

    expect(client.auth.getSnapshot().status).toBe('signed-in');
    agree();
    await client.conversations.refresh();
    expect(storage.session).not.toBeNull();
  });

  it('keeps a message until the server has it', async () => {
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(conversation, ({ status }) => status === 'ready');
    showPage();
    await settled(client.status, (status) => status === 'offline');
    t.provider.willStream('Hello');

    const reply = conversation.send('Hi', { files: [{ name: 'a.txt', data: 'abc' }] });
    await expect(client.auth.reload()).rejects.toMatchObject(UNREACHABLE);
    expect(conversation.getSnapshot()).toMatchObject({ status: 'ready', messages: [{ status: 'sending' }] });
    agree();
    client.wake();

    expect(await reply.done).toMatchObject({ content: 'Hello' });
    expect((await ada.history(conversation.id)).map(({ content }) => content)).toEqual(['Hi', 'Hello']);
  });

  it('says that the server cannot be reached, also where the address is that of a website', async () => {
    proxy.judge = () => 'page';
    const client = sdk(t, { baseUrl: proxy.url, reconnect: FAST });

    await expect(client.auth.login(ada)).rejects.toMatchObject(UNREACHABLE);

    expect(client.auth.getSnapshot().status).toBe('signed-out');
    agree();
  });
});
