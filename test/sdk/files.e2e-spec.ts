import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import type { Message, UploadState } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdk, sdkFor, settled, sharedStorage, watchedFetch } from '../support/clients/sdk.js';
import { FlakyProxy } from '../support/infrastructure/flaky-proxy.js';
import { until } from '../support/infrastructure/until.js';

const FAST = { initialMs: 10, maxMs: 100 };
const FLAKY = { halves: 0.04, drops: 0.03, delays: 0.1, overtakes: 0.2, maxDelayMs: 10 };
const text = (name: string, data = `Content of ${name}`) => ({ name, type: 'text/plain', data });

describe('files in @parley/client', () => {
  let t: TestApp;
  let ada: TestUser;
  let png: Buffer<ArrayBuffer>;
  /** Images that do not compress. */
  let noises: Buffer<ArrayBuffer>[];
  let http: ReturnType<typeof watchedFetch>;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
    const create = { width: 40, height: 30, channels: 3 as const, background: 'teal' };
    png = Buffer.from(await sharp({ create }).png().toBuffer());
    const raw = { width: 300, height: 200, channels: 3 as const };
    const noise = () => sharp(randomBytes(180_000), { raw }).png().toBuffer();
    noises = (await Promise.all([noise(), noise(), noise()])).map((each) => Buffer.from(each));
  });
  afterAll(() => t.stop());
  beforeEach(() => void (http = watchedFetch()));

  async function start(options: Parameters<typeof sdkFor>[2] = {}) {
    const client = await sdkFor(t, ada, { fetch: http.fetch, reconnect: FAST, ...options });
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(conversation, ({ status }) => status === 'ready');
    return { client, conversation };
  }

  /** Holds back uploads until the gate opens. */
  function heldUploads() {
    let open!: () => void;
    const opened = new Promise<undefined>((resolve) => (open = () => resolve(undefined)));
    http.before = (path) => (path === '/files' ? (opened as never) : undefined);
    return { open };
  }

  const historyOf = async (id: number) => (await ada.history(id)) as unknown as Message[];
  const names = (files: readonly { name: string }[]) => files.map(({ name }) => name);

  it('uploads bytes, and sends them with stored files in their order, before the words', async () => {
    const { client, conversation } = await start();
    const stored = await client.files.upload(text('stored.txt')).done;
    const { id } = await client.files.upload(text('by-id.txt')).done;
    const states: UploadState[][] = [];

    const reply = conversation.send('Look', {
      files: [new File([png], 'teal.png'), id, new Blob(['a blob']), stored, text('named.txt')],
      onProgress: (uploads) => states.push([...uploads]),
    });
    await reply.done;

    const [asked] = await historyOf(conversation.id);
    expect(names(asked!.files)).toEqual(['teal.png', 'by-id.txt', 'file', 'stored.txt', 'named.txt']);
    expect(asked!.files[0]).toMatchObject({ mime_type: 'image/png', width: 40, height: 30 });
    expect(conversation.getSnapshot().messages[0]).toMatchObject({ files: asked!.files, uploads: [] });
    expect(states.at(-1)!.map(({ status }) => status)).toEqual(Array(5).fill('done'));
    expect(states.at(-1)!.map(({ sent, bytes }) => sent === bytes)).toEqual(Array(5).fill(true));
    expect(t.provider.chats.at(-1)!.body.messages!.at(-1)!.content).toMatchObject([
      { type: 'image_url' },
      ...Array(5).fill({ type: 'text' }),
    ]);
  });

  it('shows the files of a message while they are uploaded, and sends without words', async () => {
    const { conversation } = await start();
    const held = heldUploads();

    const reply = conversation.send('', {
      files: [text('a.txt'), new File([png], 'b.png', { type: 'image/png' })],
    });

    const [shown] = conversation.getSnapshot().messages;
    expect(shown).toMatchObject({ content: '', status: 'sending', files: [] });
    expect(shown!.uploads.map((upload) => upload.getSnapshot())).toMatchObject([
      { name: 'a.txt', mime_type: 'text/plain', bytes: 16, status: 'uploading', sent: 0, file: null },
      { name: 'b.png', mime_type: 'image/png', bytes: png.length, status: 'uploading' },
    ]);
    held.open();
    expect(names((await reply.accepted).user_message.files)).toEqual(['a.txt', 'b.png']);
  });

  it('rejects a message whose file is refused, and sends it again on request', async () => {
    const { client, conversation } = await start();
    const zip = { name: 'a.zip', data: Uint8Array.from([0x50, 0x4b, 3, 4, 20, 0, 0, 0, 0, 0]) };

    await expect(conversation.send('Zip', { files: [zip] }).done).rejects.toMatchObject({
      code: 'unsupported_file',
      status: 415,
    });

    const [rejected] = conversation.getSnapshot().messages;
    expect(rejected).toMatchObject({ status: 'rejected', failure: { code: 'unsupported_file' } });
    expect(rejected!.uploads[0]!.getSnapshot()).toMatchObject({ status: 'failed', error: rejected!.failure });
    const now = await client.files.upload(text('now.txt')).done;
    http.before = (path) => (path === '/files' ? Response.json(now, { status: 201 }) : undefined);
    await conversation.retry(rejected!.key)!.done;
    expect(names((await historyOf(conversation.id))[0]!.files)).toEqual(['now.txt']);
  });

  it('refuses more than 20 MiB without a request', async () => {
    const { client } = await start();

    await expect(
      client.files.upload(new Blob([new Uint8Array(20 * 2 ** 20 + 1)])).done,
    ).rejects.toMatchObject({
      ...{ code: 'body_too_large', message: 'A file may have at most 20 MiB.', status: 413 },
    });

    expect(http.count('/files')).toBe(0);
  });

  it('takes a message back by its signal while files are uploaded', async () => {
    const { conversation } = await start();
    const held = heldUploads();
    const controller = new AbortController();

    const reply = conversation.send('Never', { files: [text('a.txt')], signal: controller.signal });
    await until(() => http.count('/files') === 1);
    controller.abort();

    await expect(reply.done).rejects.toMatchObject({
      code: 'aborted',
      message: 'The message was aborted before it was sent.',
    });
    expect(conversation.getSnapshot().messages).toEqual([]);
    held.open();
    await conversation.send('Next').done;
    expect((await historyOf(conversation.id)).map(({ content }) => content)[0]).toBe('Next');
  });

  it('repeats uploads after faults of the network and the server', async () => {
    const { client, conversation } = await start();
    let faults = 0;
    http.before = (path) => {
      if (path !== '/files' || ++faults > 3) return undefined;
      if (faults === 1) throw new TypeError('fetch failed');
      return new Response('', { status: faults === 2 ? 503 : 429, headers: { 'Retry-After': '0' } });
    };
    const wake = setInterval(() => client.wake(), 20);

    const { user_message } = await conversation.send('Again', { files: [text('a.txt')] }).accepted;
    clearInterval(wake);

    expect(names(user_message.files)).toEqual(['a.txt']);
    expect(http.count('/files')).toBe(4);
  });

  it('keeps an uploaded file for the next run, and rejects a message whose bytes were lost', async () => {
    const storage = sharedStorage();
    const { client, conversation } = await start({ storage });
    const file = await client.files.upload(text('kept.txt')).done;
    Object.assign(client.connection, { whenLive: async () => false });
    http.before = (path) => {
      if (path.endsWith('/chat')) throw new TypeError('fetch failed');
      return undefined;
    };
    conversation.send('Kept', { files: [file] });
    await until(() => storage.drafts[0]?.draft.body.file_ids?.[0] === file.id);
    heldUploads();
    conversation.send('Lost', { files: [text('lost.txt')] });
    await until(() => storage.drafts.length === 2);
    client.close();

    const restored = sdk(t, { storage, reconnect: FAST }).conversation(conversation.id);
    const { messages } = await settled(
      restored,
      ({ messages: all, running }) => all.length === 3 && !running && all[0]!.id !== null,
    );

    expect(messages[0]).toMatchObject({ content: 'Kept', files: [{ name: 'kept.txt' }] });
    expect(messages[2]).toMatchObject({
      content: 'Lost',
      status: 'rejected',
      failure: { code: 'files_lost' },
    });
    expect(messages[2]!.failure!.message).toContain('lost.txt');
  });

  it('keeps, replaces and removes files by an edit', async () => {
    const { conversation } = await start();
    const { user_message } = await conversation.send('One', { files: [text('a.txt'), text('b.txt')] })
      .accepted;
    await settled(conversation, ({ running, messages }) => !running && messages.length === 2);
    const edit = async (files?: Parameters<typeof conversation.edit>[2]) => {
      const reply = conversation.edit(user_message.id, 'Two', files);
      const shown = conversation.getSnapshot().messages.at(-1)!;
      const edited = (await reply.accepted).user_message;
      await reply.done;
      return { shown, edited: names(edited.files) };
    };

    const kept = await edit();
    expect(kept.edited).toEqual(['a.txt', 'b.txt']);
    expect(names(kept.shown.files)).toEqual(['a.txt', 'b.txt']);
    expect((await edit({ files: [user_message.files[1]!, text('c.txt')] })).edited).toEqual([
      'b.txt',
      'c.txt',
    ]);
    expect((await edit({ files: [] })).edited).toEqual([]);
  });

  it('links to contents, and reads their bytes', async () => {
    const { client } = await start();
    const file = await client.files.upload(new File([png], 'a.png')).done;

    const linked = await fetch(client.files.url(file)!);
    expect(Buffer.from(await linked.arrayBuffer())).toEqual(png);
    expect((await fetch((await client.files.link(file.id))!)).status).toBe(200);
    const token = new URL(client.files.url(file)!).searchParams.get('token')!;
    const request = { path: { id: file.id }, query: { token } };
    const content = (await client.rest.getFileContent(request)) as Blob;
    expect(Buffer.from(await content.arrayBuffer())).toEqual(png);
    expect(client.files.url({ url: null })).toBeNull();
  });

  it('ends uploads at logout', async () => {
    const { client } = await start();
    heldUploads();
    const upload = client.files.upload(text('a.txt'));

    await client.auth.logout();

    await expect(upload.done).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('uploads at most three files at once, and collects them for a message', async () => {
    const { client, conversation } = await start();
    const held = heldUploads();
    const chosen = client.files.attachments();

    const [first] = chosen.add(text('1.txt'), text('2.txt'), text('3.txt'), text('4.txt'));
    expect(chosen.getSnapshot().status).toBe('uploading');
    await until(() => http.count('/files') === 3);
    chosen.remove(first!);
    held.open();
    await settled(chosen, ({ status }) => status === 'ready');
    const { user_message } = await conversation.send('', { files: chosen.take() }).accepted;

    expect(names(user_message.files)).toEqual(['2.txt', '3.txt', '4.txt']);
    expect(chosen.getSnapshot()).toEqual({ uploads: [], status: 'empty' });
  });

  it('deletes what is removed before it is sent, but no file that was stored or sent', async () => {
    const { client, conversation } = await start();
    const chosen = client.files.attachments();
    const stored = await client.files.upload(text('stored.txt')).done;
    const [sent, sentById, removed] = chosen.add(
      text('1.txt'),
      text('2.txt'),
      text('3.txt'),
      stored,
      stored.id,
    );
    await settled(chosen, ({ status }) => status === 'ready');
    const bytesUsed = async () => (await client.rest.listFiles()).bytes_used;
    const before = await bytesUsed();
    const byId = sentById!.getSnapshot().file!;

    await conversation.send('', { files: [sent!, byId] }).accepted;
    for (const upload of chosen.getSnapshot().uploads) chosen.remove(upload);

    const { bytes } = removed!.getSnapshot().file!;
    await until(async () => (await bytesUsed()) === before - bytes);
    expect(http.count('/delete')).toBe(1);
    expect(names((await historyOf(conversation.id))[0]!.files)).toEqual(['1.txt', '2.txt']);
    expect(chosen.getSnapshot().status).toBe('empty');
  });

  it.each([1, 2, 3])('sends each file once through a network that breaks uploads (seed %i)', async (seed) => {
    const { port } = t.app.getHttpServer().address() as { port: number };
    const proxy = t.opened(await FlakyProxy.start(() => port, seed));
    const { client, conversation } = await start({ baseUrl: proxy.url });
    const wake = setInterval(() => client.wake(), 50);
    proxy.flakiness = FLAKY;

    const sent: File[][] = [];
    // How often it breaks depends on timing, too.
    while (sent.length < 2 || proxy.broken <= 2) {
      const pair = [sent.length, sent.length + 1].map((n) =>
        noises.map((noise, m) => new File([noise], `${n}-${m}.png`)),
      );
      const replies = pair.map((files, n) => conversation.send(`Message ${sent.length + n}`, { files }));
      sent.push(...pair);
      await Promise.all(replies.map((reply) => reply.done));
    }
    proxy.calmDown();
    clearInterval(wake);

    expect(proxy.broken).toBeGreaterThan(2);
    const asked = (await historyOf(conversation.id)).filter(({ role }) => role === 'user');
    expect(asked.map(({ content, files }) => [content, names(files)])).toEqual(
      sent.map((files, n) => [`Message ${n}`, names(files)]),
    );
    expect(asked.flatMap(({ files }) => files.map(({ bytes }) => bytes))).toEqual(
      sent.flat().map(({ size }) => size),
    );
  });
});
