import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { FileBlob } from '../../src/files/file-blob.entity.js';
import { StoredFile } from '../../src/files/file.entity.js';
import { FileSweep } from '../../src/files/file-sweep.service.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { makePdf } from '../support/files.js';
import { until } from '../support/infrastructure/until.js';
import { finish, noDone } from '../support/provider/provider.js';

interface Part {
  type: string;
  text?: string;
  image_url?: { url: string };
}

let t: TestApp;
let ada: TestUser;
let chat: number;
let png: Buffer;

beforeAll(async () => {
  t = await startTestApp();
  png = await image(8, 8);
});
beforeEach(async () => {
  ada = await t.user().withConfig(t.provider).create();
  chat = (await ada.createConversation({ title: 'Files' })).id;
});
afterEach(() => void (t.provider.refuse = undefined));
afterAll(() => t.stop());

const image = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: 'teal' } })
    .png()
    .toBuffer();

const upload = (content: string | Buffer, name: string, user = ada) => user.upload(content, name);
const idsOf = (...files: Thing[]) => ({ file_ids: files.map(({ id }) => id) });
const namesIn = (message: Thing) => (message.files as Thing[]).map(({ name }) => name);

const contentOf = async ({ id }: Thing) =>
  Buffer.from(await (await ada.fetch('GET', `/files/${id}/content`)).arrayBuffer());

const userMessageOf = (ack: object) => (ack as { data: { user_message: Thing } }).data.user_message;

/** Messages of the newest prompt. */
const prompt = () =>
  t.provider.chats.at(-1)!.body.messages as unknown as { role: string; content: string | Part[] }[];
const partsOf = (index = -1) => prompt().at(index)!.content as Part[];
const text = () => JSON.stringify(prompt());

describe('a message with files', () => {
  const transports: [string, (body: object) => Promise<Thing>][] = [
    [
      'JSON',
      async (body) => (await ada.post(`/conversations/${chat}/chat`, body)).body.user_message as Thing,
    ],
    [
      'server-sent events',
      async (body) => {
        const sse = await ada.sse(`/conversations/${chat}/messages`, body);
        const event = await sse.until(({ type }) => type === 'message.created');
        return event.message as Thing;
      },
    ],
    [
      'Socket.IO',
      async (body) => userMessageOf(await ada.socket().emit('chat.send', { conversation_id: chat, ...body })),
    ],
    [
      'WebSocket',
      async (body) => {
        const client = ada.ws(chat);
        await client.opened;
        return userMessageOf(await client.request('chat.send', body));
      },
    ],
  ];

  it.each(transports)('reaches the model in its order over %s', async (_, send) => {
    const files = [
      await upload('a,b\n1,2', 'table.csv'),
      await upload(png, 'teal.png'),
      await upload(makePdf({ pages: ['Hello PDF'] }), 'paper.pdf'),
    ];
    const before = t.provider.chats.length;

    const message = await send({ content: 'What is this?', ...idsOf(...files) });
    await t.provider.waitForRequests(before + 1);

    // Links change every 5 minutes.
    expect(message.files).toEqual(files.map((file) => ({ ...file, url: expect.any(String) })));
    expect(partsOf()).toEqual([
      { type: 'text', text: 'File "table.csv":\n\na,b\n1,2' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${png.toString('base64')}` } },
      { type: 'text', text: expect.stringMatching(/^File "paper.pdf":\n\nHello PDF/) },
      { type: 'text', text: 'What is this?' },
    ]);
    expect(namesIn((await ada.history(chat))[0]!)).toEqual(['table.csv', 'teal.png', 'paper.pdf']);
  });

  it('may have no words, and then has its title from the first file', async () => {
    const { id } = await ada.createConversation();
    t.provider.willAnswer(401, { error: { message: 'No such key' } });
    await ada.post(`/conversations/${id}/chat`, idsOf(await upload('Hello', 'greeting.txt')));

    expect((await ada.get(`/conversations/${id}`)).body).toMatchObject({ title: 'greeting.txt' });
    expect(partsOf()).toEqual([{ type: 'text', text: 'File "greeting.txt":\n\nHello' }]);
    expect((await ada.send(chat, '', { file_ids: [] })).body).toMatchObject({
      status: 422,
      errors: [{ field: 'content' }],
    });
  });

  it('is refused with ids that are not those of own files', async () => {
    const bob = await t.user().create();
    const [own, gone, foreign] = [
      await upload('own', 'own.txt'),
      await upload('gone', 'gone.txt'),
      await upload('foreign', 'foreign.txt', bob),
    ];
    await ada.post(`/files/${gone.id}/delete`);
    const eleven = Array.from({ length: 11 }, (_, index) => index + 1);
    for (const ids of [[own.id, own.id], eleven, ['1'], 'all', [0]]) {
      const { status, body } = await ada.send(chat, 'Hi', { file_ids: ids });
      expect([status, body]).toMatchObject([
        422,
        { code: 'validation_failed', errors: [{ field: expect.stringMatching(/^file_ids/) }] },
      ]);
    }
    const message = 'Must be ids of your files that are not deleted.';
    for (const ids of [[gone.id], [own.id, foreign.id], [999_999]]) {
      const { body } = await ada.send(chat, 'Hi', { file_ids: ids });
      expect(body).toMatchObject({ status: 422, errors: [{ field: 'file_ids', message }] });
    }
    expect(await ada.history(chat)).toEqual([]);
  });

  it('is the same send only with the same files in the same order', async () => {
    const [one, two] = [await upload('1', 'one.txt'), await upload('2', 'two.txt')];
    const id = { client_message_id: randomUUID() };
    const first = await ada.send(chat, 'Hi', { ...id, ...idsOf(one, two) });
    await ada.post(`/files/${one.id}/delete`);

    const repeat = await ada.send(chat, 'Hi', { ...id, ...idsOf(one, two) });
    expect(repeat.body.user_message.id).toBe(first.body.user_message.id);
    expect(repeat.body.user_message.files).toMatchObject([{ deleted: true, url: null }, { deleted: false }]);
    for (const other of [idsOf(two, one), idsOf(one), { file_ids: [] }, {}]) {
      expect((await ada.send(chat, 'Hi', { ...id, ...other })).body.code).toBe('client_message_id_reused');
    }
    const plain = { client_message_id: randomUUID() };
    const sent = await ada.send(chat, 'Hi', plain);
    const again = await ada.send(chat, 'Hi', { ...plain, file_ids: [] });
    expect(again.body.user_message.id).toBe(sent.body.user_message.id);
  });

  it('keeps its files when it is edited without naming any, and when its reply is regenerated', async () => {
    const file = await upload('Hello', 'greeting.txt');
    const { body } = await ada.send(chat, 'Hi', idsOf(file));
    const edit = (changes: object) =>
      ada.post<{ user_message: Thing }>(`/conversations/${chat}/messages/${body.user_message.id}/edit`, {
        content: 'Again',
        ...changes,
      });

    const id = { client_message_id: randomUUID() };
    expect(namesIn((await edit(id)).body.user_message)).toEqual(['greeting.txt']);
    expect(text()).toContain('greeting.txt');
    expect((await edit(id)).status).toBe(200);
    expect(namesIn((await edit({ file_ids: [] })).body.user_message)).toEqual([]);
    expect(text()).not.toContain('greeting.txt');
    await ada.post(`/conversations/${chat}/messages/${body.assistant_message.id}/regenerate`);
    expect(text()).toContain('greeting.txt');
  });

  it('keeps its files in an edit over a socket that names none, and takes others', async () => {
    const { body } = await ada.send(chat, 'Hi', idsOf(await upload('Hello', 'greeting.txt')));
    const edit = { message_id: body.user_message.id, content: 'Again' };
    const isCompleted = ({ type }: { type: string }) => type === 'message.completed';
    const socket = ada.socket();
    const kept = await socket.emit('chat.edit', { conversation_id: chat, ...edit });
    await socket.until(isCompleted);
    const client = ada.ws(chat);
    await client.opened;
    const others = idsOf(await upload('Bye', 'farewell.txt'));
    const replaced = await client.request('chat.edit', { ...edit, ...others });
    await client.until(isCompleted);

    expect(namesIn(userMessageOf(kept))).toEqual(['greeting.txt']);
    expect(namesIn(userMessageOf(replaced))).toEqual(['farewell.txt']);
    expect(text()).toContain('farewell.txt');
  });

  it('names files that were deleted since, and keeps used ones from the sweep', async () => {
    const [kept, gone] = [await upload('kept', 'kept.txt'), await upload('gone', 'gone.txt')];
    await ada.send(chat, 'Hi', idsOf(kept, gone));
    expect(await t.manager.findOneBy(StoredFile, { id: kept.id })).toMatchObject({ expiresAt: null });
    await ada.post(`/files/${gone.id}/delete`);
    await t.app.get(FileSweep).run();

    await ada.send(chat, 'And now?');
    expect(text()).toContain('File \\"kept.txt\\":\\n\\nkept');
    expect(text()).toContain('[The file \\"gone.txt\\" was deleted.]');
    expect((await ada.history(chat))[0]!.files).toMatchObject([
      { name: 'kept.txt', deleted: false },
      { name: 'gone.txt', deleted: true, url: null },
    ]);
  });
});

it('asks for a title without files', async () => {
  const { id } = await ada.createConversation();
  await ada.send(
    id,
    'What color is it?',
    idsOf(await upload(png, 'teal.png'), await upload('A text', 'a.txt')),
  );
  const title = () =>
    t.provider.requests.find(({ isTitle, body }) => isTitle && /What color/.test(JSON.stringify(body)));
  await until(() => title() !== undefined);

  expect(JSON.stringify(title()!.body)).not.toMatch(/image_url|A text|teal/);
});

describe('images', () => {
  it('are scaled once, to 2048 pixels a side', async () => {
    const large = await upload(await image(3000, 1500), 'large.png');
    await ada.send(chat, 'First', idsOf(large));
    const { url } = partsOf()[0]!.image_url!;
    const sent = await sharp(Buffer.from(url.split(',')[1]!, 'base64')).metadata();
    expect([url.slice(0, 16), sent.width, sent.height]).toEqual(['data:image/jpeg;', 2048, 1024]);

    const { blobId } = await t.manager.findOneByOrFail(StoredFile, { id: large.id });
    const blob = () => t.manager.findOneByOrFail(FileBlob, { id: blobId! });
    const { scaledBlobId, storageKey } = await blob();
    expect(scaledBlobId).not.toBeNull();
    await writeFile(join(t.settings.dataDir, 'files', storageKey.slice(0, 2), storageKey), 'No image');
    expect((await ada.send(chat, 'Second')).status).toBe(200);
    expect(partsOf(0)[0]!.image_url!.url).toBe(url);
    expect((await blob()).scaledBlobId).toBe(scaledBlobId);
  });

  it('reach the model though their scaled copy cannot be stored', async () => {
    const large = await upload(await image(3000, 10), 'large.png');
    const temporary = join(t.settings.dataDir, 'uploads');
    await rm(temporary, { recursive: true });
    await writeFile(temporary, 'Not a folder');
    const { status } = await ada.send(chat, 'Hi', idsOf(large));
    await rm(temporary);

    expect(status).toBe(200);
    expect(partsOf()[0]!.image_url!.url).toMatch(/^data:image\/jpeg;/);
  });

  it('that cannot be scaled are answered with 503, and named in words in later prompts', async () => {
    const large = await upload(await image(3000, 20), 'large.png');
    const { blobId } = await t.manager.findOneByOrFail(StoredFile, { id: large.id });
    const { storageKey: key } = await t.manager.findOneByOrFail(FileBlob, { id: blobId! });
    const path = join(t.settings.dataDir, 'files', key.slice(0, 2), key);
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, 100));
    const { status, body } = await ada.send(chat, 'Broken', idsOf(large));
    expect([status, body.detail]).toEqual([503, 'An image could not be scaled; try again shortly.']);
    expect(await ada.history(chat)).toEqual([]);
    await writeFile(path, bytes);
    expect((await ada.send(chat, 'First', idsOf(large))).status).toBe(200);

    await t.manager.update(FileBlob, { id: blobId! }, { scaledBlobId: null });
    await writeFile(path, bytes.subarray(0, 100));
    expect((await ada.send(chat, 'Second')).status).toBe(200);

    expect(text()).toContain('[The file \\"large.png\\" could not be read.]');
  });

  it.each(['gif', 'webp'] as const)('are sent as the first frame of an animated %s', async (format) => {
    const [width, height, frames] = [20, 10, 3];
    const pixels = (level: number) => Buffer.alloc(width * height * 3, level);
    const raw = Buffer.concat([pixels(0xe0), pixels(0x20), pixels(0x80)]);
    const shape = { width, height: height * frames, channels: 3, pageHeight: height } as const;
    const animation = sharp(raw, { raw: shape }).toFormat(format, { delay: [100, 100, 100] });
    const { bytes, ...file } = await upload(await animation.toBuffer(), `moves.${format}`);
    expect(file).toMatchObject({ mime_type: `image/${format}`, width, height });
    expect((await sharp(await contentOf(file)).metadata()).pages).toBe(frames);

    await ada.send(chat, 'What moves?', idsOf(file));

    const [type, data] = partsOf()[0]!.image_url!.url.split(';base64,') as [string, string];
    const sent = sharp(Buffer.from(data, 'base64'));
    const { format: sentAs, pages = 1, ...size } = await sent.metadata();
    expect([type, pages, size.width, size.height]).toEqual([`data:image/${sentAs}`, 1, width, height]);
    expect((await sent.stats()).channels[0]!.mean).toBeGreaterThan(0xd0);
    expect(bytes).toBe((await contentOf(file)).length);
  });

  it('count by tiles where the provider reports no usage', async () => {
    const usageOf = async (extra: object) => {
      t.provider.willStream('Hello', finish('stop'), noDone());
      const { id } = await ada.createConversation({ title: 'Usage' });
      const { body } = await ada.send(id, 'Hi', extra);
      return body.assistant_message.usage as { prompt_tokens: number; estimated: boolean };
    };
    const plain = await usageOf({});
    const [square, wide] = [
      await usageOf(idsOf(await upload(await image(1024, 1024), 'square.png'))),
      await usageOf(idsOf(await upload(await image(4096, 1024), 'wide.png'))),
    ];

    expect([plain, square, wide].map(({ estimated }) => estimated)).toEqual([true, true, true]);
    // 85 + 170 × 2 × 2, and 85 + 170 × 4 × 1 after scaling.
    expect(square.prompt_tokens - plain.prompt_tokens).toBe(765);
    expect(wide.prompt_tokens - plain.prompt_tokens).toBe(765);
  });

  it('fail the turn of a provider that takes none, and are named in words from then on', async () => {
    const detail = 'This model does not support image input.';
    t.provider.refuse = ({ messages }) =>
      JSON.stringify(messages).includes('image_url') ? [400, { error: { message: detail } }] : undefined;
    const failed = await ada.send(chat, 'What is this?', idsOf(await upload(png, 'teal.png')));
    expect(failed).toMatchObject({ status: 502, body: { code: 'upstream_error', detail } });

    const { length } = t.provider.chats;
    expect((await ada.send(chat, 'And in words?')).status).toBe(200);
    expect(t.provider.chats.length).toBe(length + 1);
    expect(prompt()).toEqual([
      {
        role: 'user',
        content: '[The image "teal.png" is not shown to this model.]\n\nWhat is this?\n\nAnd in words?',
      },
    ]);
  });

  it('go on in words after a change to a provider that takes none', async () => {
    await ada.send(chat, 'What is this?', idsOf(await upload(png, 'teal.png')));
    t.provider.refuse = ({ messages }) =>
      JSON.stringify(messages).includes('image_url')
        ? [400, { error: { message: 'unknown variant `image_url`, expected `text`' } }]
        : undefined;
    expect((await ada.send(chat, 'And in words?')).status).toBe(200);
    expect(text()).toContain('The image \\"teal.png\\" is not shown');
  });
});

describe('the context', () => {
  beforeEach(async () => {
    ada = await t.user().withConfig(t.provider, { context_tokens: 1200 }).create();
    chat = (await ada.createConversation({ title: 'Files' })).id;
  });

  it('drops the oldest files first, and names them', async () => {
    const words = (start: number) => Array.from({ length: 230 }, (_, n) => `word${start + n}`).join(' ');
    const [old, recent] = [await upload(words(0), 'old.txt'), await upload(words(500), 'recent.txt')];
    await ada.send(chat, 'One', idsOf(old));
    await ada.send(chat, 'Two', idsOf(recent));
    await ada.send(chat, 'Three');

    expect(text()).toContain('[The file \\"old.txt\\" was left out to fit the context.]\\n\\nOne');
    expect(text()).toContain('word500');
    expect(text()).not.toContain('word100 ');
  });

  it('counts images by tiles, and refuses what does not fit alone, storing nothing', async () => {
    // 85 + 170 × 4 and 85 + 170 tokens; there are 900.
    const one = await upload(await image(768, 768), 'one.png');
    const two = await upload(await image(512, 512), 'two.png');
    const { status, body } = await ada.send(chat, 'Hi', idsOf(one, two));
    expect([status, body]).toMatchObject([
      422,
      { code: 'context_exceeded', errors: [{ field: 'file_ids' }] },
    ]);
    expect(await ada.history(chat)).toEqual([]);
    expect((await ada.send(chat, 'Hi', idsOf(one))).status).toBe(200);
  });
});

describe('while the storage is unavailable', () => {
  async function withoutStorage(run: () => Promise<void>): Promise<void> {
    const folder = join(t.settings.dataDir, 'files');
    await rename(folder, `${folder}.away`);
    await writeFile(folder, 'No folder');
    try {
      await run();
    } finally {
      await rm(folder);
      await rename(`${folder}.away`, folder);
    }
  }

  it('uploads and contents are answered with 503, nothing is stored, and readiness says so', async () => {
    const file = await upload('Hello', 'greeting.txt');
    const files = async () => ((await t.http.get('/health/ready')).body.parts as Thing).files;
    await withoutStorage(async () => {
      await expect(upload('World', 'world.txt')).rejects.toThrow('storage_unavailable');
      const { status, body } = await ada.get(`/files/${file.id}/content`);
      expect([status, body.code]).toEqual([503, 'storage_unavailable']);
      expect((await ada.get('/files')).body).toMatchObject({ total: 1, bytes_used: 5 });
      expect(await readdir(join(t.settings.dataDir, 'uploads'))).toEqual([]);
      await until(async () => (await files()) === 'degraded');
    });
    await until(async () => (await files()) === 'up');
    expect(await contentOf(file)).toEqual(Buffer.from('Hello'));
  });

  it('an upload that its disk does not take is answered with 503', async () => {
    const folder = join(t.settings.dataDir, 'uploads');
    await rename(folder, `${folder}.away`);
    await writeFile(folder, 'No folder');

    await expect(upload('World', 'world.txt')).rejects.toThrow('storage_unavailable');

    await rm(folder);
    await rename(`${folder}.away`, folder);
    expect(await upload('World', 'world.txt')).toMatchObject({ bytes: 5 });
  });

  it('a send with files is answered with 503, and nothing is stored', async () => {
    const file = await upload('Hello', 'greeting.txt');
    await withoutStorage(async () => {
      const { status, body } = await ada.send(chat, 'Hi', idsOf(file));
      expect([status, body.code]).toEqual([503, 'storage_unavailable']);
      expect(await ada.history(chat)).toEqual([]);
      expect((await ada.send(chat, 'Without files')).status).toBe(200);
    });
    expect((await ada.send(chat, 'Hi', idsOf(file))).status).toBe(200);
  });

  it('text goes on, with a note in the prompt; another answer to the files is 503', async () => {
    const file = await upload('Hello', 'greeting.txt');
    const { body: first } = await ada.send(chat, 'Hi', idsOf(file));
    const path = `/conversations/${chat}/messages`;
    await withoutStorage(async () => {
      expect((await ada.send(chat, 'And now?')).status).toBe(200);
      expect(text()).toContain('[The file \\"greeting.txt\\" could not be read.]\\n\\nHi');
      const before = await ada.history(chat);
      const again = await ada.post(`${path}/${first.assistant_message.id}/regenerate`);
      const edited = await ada.post(`${path}/${first.user_message.id}/edit`, { content: 'Hey' });
      expect([again.status, edited.status]).toEqual([503, 503]);
      expect(await ada.history(chat)).toEqual(before);
    });
    expect((await ada.post(`${path}/${first.user_message.id}/edit`, { content: 'Hey' })).status).toBe(200);
    expect(text()).toContain('Hello');
  });
});
