import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { FileBlob } from '../../src/files/file-blob.entity.js';
import { StoredFile } from '../../src/files/file.entity.js';
import { FileLinks } from '../../src/files/file-links.service.js';
import { FileSweep } from '../../src/files/file-sweep.service.js';
import { MessageFile } from '../../src/files/message-file.entity.js';
import { FileStorage, StorageUnavailableError } from '../../src/files/storage/file-storage.js';
import { TemporaryFiles } from '../../src/files/upload/temporary-files.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { LogLines } from '../support/app/log-lines.js';
import { makePdf } from '../support/files.js';
import type { Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';

const MIB = 1024 * 1024;
const MALFORMED = 'The upload could not be read; is it well-formed multipart/form-data?';
const BAD_FILE = 'The request has bad fields: file.';
const NOT_ONE_FILE = { field: 'file', message: 'Must be the only part, with a file.' };

interface Uploaded extends Thing {
  url: string;
  sha256: string;
}

const log = new LogLines();
let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  t = await startTestApp({ env: { STORAGE_LIMIT_MB: '1' }, log });
  ada = await t.user().create();
});
afterAll(() => t.stop());

const bearer = (user: TestUser) => ({ Authorization: `Bearer ${user.tokens.access_token}` });

async function post(user: TestUser, body: FormData | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${t.url}/files`, {
    method: 'POST',
    headers: { ...bearer(user), ...headers },
    body,
  });
  return { status: response.status, body: (await response.json()) as Uploaded };
}

const formOf = (content: string | Buffer, name = 'notes.txt', field = 'file') => {
  const form = new FormData();
  form.append(field, new Blob([content]), name);
  return form;
};

const upload = (user: TestUser, content: string | Buffer, name?: string) => post(user, formOf(content, name));

/** A multipart body with one part, whose disposition is written by hand. */
function partOf(disposition: string, content = 'text'): [body: string, headers: Record<string, string>] {
  const head = `Content-Disposition: ${disposition}\r\nContent-Type: text/plain\r\n\r\n`;
  return [`--x\r\n${head}${content}\r\n--x--\r\n`, { 'Content-Type': 'multipart/form-data; boundary=x' }];
}

/** Files below the folder of bytes. */
function storedPaths(): string[] {
  const folder = join(t.settings.dataDir, 'files');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const temporaryFiles = () => readdirSync(join(t.settings.dataDir, 'uploads'));

const sweep = () => t.app.get(FileSweep).run();

describe('POST /files', () => {
  it('stores a file that only the owner of the server can read, and describes it', async () => {
    const { status, body } = await upload(ada, 'héllo', 'ideas.md');

    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(Number),
      name: 'ideas.md',
      mime_type: 'text/markdown',
      bytes: 6,
      sha256: createHash('sha256').update('héllo').digest('hex'),
      width: null,
      height: null,
      deleted: false,
      url: expect.stringMatching(new RegExp(`^/files/${String(body.id)}/content\\?token=[\\w.-]+$`)),
      created_at: expect.stringMatching(/Z$/),
    });
    expect((await ada.get(`/files/${String(body.id)}`)).body).toEqual(body);
    for (const path of storedPaths()) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    }
    expect(temporaryFiles()).toEqual([]);
  });

  it('stores the same bytes of one user once, and counts each upload', async () => {
    const [bob, carol] = [await t.user().create(), await t.user().create()];
    const before = storedPaths().length;
    const files = [
      await upload(bob, 'same'),
      await upload(bob, 'same', 'b.txt'),
      await upload(carol, 'same'),
    ];
    await sweep();

    expect(new Set(files.map(({ body }) => body.id)).size).toBe(3);
    expect(storedPaths().length).toBe(before + 2);
    expect((await bob.get('/files')).body).toMatchObject({ total: 2, bytes_used: 8, bytes_limit: MIB });

    await bob.post(`/files/${String(files[0]!.body.id)}/delete`);
    await sweep();
    expect((await bob.get(`/files/${String(files[1]!.body.id)}/content`)).status).toBe(200);
    await bob.post(`/files/${String(files[1]!.body.id)}/delete`);
    await sweep();
    expect(storedPaths().length).toBe(before + 1);
    expect((await bob.get('/files')).body).toMatchObject({ total: 0, bytes_used: 0 });
  });

  it.each<[string, () => [FormData | string, Record<string, string>?], number, string, string]>([
    ['another part', () => [formOf('a', 'a.txt', 'document')], 422, 'validation_failed', BAD_FILE],
    [
      'no part',
      () => ['--x--\r\n', { 'Content-Type': 'multipart/form-data; boundary=x' }],
      422,
      'validation_failed',
      BAD_FILE,
    ],
    ['a text part', () => partOf('form-data; name="file"'), 422, 'validation_failed', BAD_FILE],
    [
      'a body broken off',
      () => [partOf('form-data; name="file"; filename="a"')[0].slice(0, -9), partOf('')[1]],
      400,
      'bad_request',
      MALFORMED,
    ],
    [
      'a long boundary',
      () => ['text', { 'Content-Type': `multipart/form-data; boundary=${'x'.repeat(8_000)}` }],
      400,
      'bad_request',
      MALFORMED,
    ],
    ['no boundary', () => ['text', { 'Content-Type': 'multipart/form-data' }], 400, 'bad_request', MALFORMED],
    [
      'JSON',
      () => ['{}', { 'Content-Type': 'application/json' }],
      415,
      'unsupported_media_type',
      'The body must be multipart/form-data.',
    ],
    ['an empty file', () => [formOf('')], 422, 'unreadable_file', 'The file is empty.'],
    [
      'bytes of no known type',
      () => [formOf(Buffer.from([0, 1, 2, 255]))],
      415,
      'unsupported_file',
      'Only PNG, JPEG, WebP and GIF images, PDF documents and UTF-8 text can be uploaded.',
    ],
  ])('refuses %s', async (_name, make, status, code, detail) => {
    const [body, headers] = make();
    const answer = await post(ada, body, headers);

    expect(answer).toMatchObject({ status, body: { code, detail } });
    if (code === 'validation_failed') expect(answer.body.errors).toEqual([NOT_ONE_FILE]);
    expect(temporaryFiles()).toEqual([]);
  });

  it.each<[string, (form: FormData) => void]>([
    ['a second file', (form) => form.append('file', new Blob(['b']), 'b.txt')],
    ['an extra field', (form) => form.append('note', 'text')],
    ['a second file by another name', (form) => form.append('other', new Blob(['b']), 'b.txt')],
  ])('refuses %s', async (_name, extend) => {
    const form = formOf('a');
    extend(form);
    const { total } = (await ada.get('/files')).body;

    expect(await post(ada, form)).toMatchObject({ status: 422, body: { errors: [NOT_ONE_FILE] } });
    expect((await ada.get('/files')).body.total).toBe(total);
  });

  it.each([
    ['filename="../../etc/passwd"', 'passwd'],
    ['filename="C:\\\\windows\\\\a.txt"', 'a.txt'],
    ['filename=".."', 'file'],
    ['filename="/"', 'file'],
    ['filename="photo\u202Egpj.txt"', 'photogpj.txt'],
    ["filename*=UTF-8''a%07%0D%0Ab%E2%80%A8c.txt", 'abc.txt'],
    ['filename="日本語 😀.txt"', '日本語 😀.txt'],
    ["filename*=UTF-8''na%C3%AFve.txt", 'naïve.txt'],
    ['filename="%22a%22%0D%0A.txt"', '"a".txt'],
    ['filename=""', 'file'],
    ["filename*=UTF-8''%ff%00.txt", 'file'],
  ])('cleans the name of a part with %s', async (parameter, name) => {
    const [body, headers] = partOf(`form-data; name="file"; ${parameter}`);

    expect(await post(ada, body, headers)).toMatchObject({ status: 201, body: { name } });
  });

  it.each<[string, string, string]>([
    ['ASCII', 'a'.repeat(10_000), 'a'],
    ['emoji', '😀'.repeat(10_000), '😀'],
  ])('shortens a name of 10,000 characters of %s', async (_kind, long, character) => {
    const name = `${character.repeat(252)}.md`;
    for (const parameter of [`filename="${long}.md"`, `filename*=UTF-8''${encodeURIComponent(long)}.md`]) {
      const [body, headers] = partOf(`form-data; name="file"; ${parameter}`);
      expect(await post(ada, body, headers)).toMatchObject({ status: 201, body: { name } });
    }
  });

  it('refuses more than 20 MiB by Content-Length at once, and while reading', async () => {
    expect(await upload(ada, Buffer.alloc(20 * MIB, 'a'))).toMatchObject({ body: { code: 'storage_full' } });
    const form = formOf(Buffer.alloc(20 * MIB + 1, 'a'));
    expect(await post(ada, form)).toMatchObject({ status: 413, body: { code: 'body_too_large' } });

    const status = await new Promise((resolve, reject) => {
      const headers = { ...bearer(ada), 'Content-Length': 21 * MIB, Expect: '100-continue' };
      const sent = httpRequest(`${t.url}/files`, { method: 'POST', headers });
      sent.on('response', (response) => resolve(response.statusCode)).on('error', reject);
      sent.flushHeaders();
    });
    expect(status).toBe(413);
    expect(temporaryFiles()).toEqual([]);
  });

  it.each<[string, () => Generator<Buffer>]>([
    ['in the part', chunked],
    ['before the part', () => chunked('--y\r\n')],
  ])('refuses more than 20 MiB without Content-Length, %s', async (_where, chunks) => {
    const response = await fetch(`${t.url}/files`, {
      method: 'POST',
      headers: { ...bearer(ada), 'Content-Type': 'multipart/form-data; boundary=x' },
      body: Readable.toWeb(Readable.from(chunks())) as ReadableStream,
      duplex: 'half',
    } as RequestInit);

    expect([response.status, await response.json()]).toMatchObject([413, { code: 'body_too_large' }]);
    expect(temporaryFiles()).toEqual([]);
  });

  /** A body that does not end within 24 MiB. */
  function* chunked(start = partOf('form-data; name="file"; filename="a"')[0].split('text')[0]!) {
    yield Buffer.from(start);
    for (let mebibytes = 0; mebibytes < 24; mebibytes++) yield Buffer.alloc(MIB, 'a');
  }

  it.each(['EACCES', 'EDQUOT', 'EEXIST', 'EIO', 'EMFILE', 'ENOSPC', 'ENOTDIR', 'EROFS'])(
    'answers 503 if the disk fails with %s, and logs it',
    async (code) => {
      const failure = Object.assign(new Error(`${code} of a disk`), { code });
      jest.spyOn(t.app.get(TemporaryFiles), 'use').mockRejectedValueOnce(failure);

      expect(await upload(ada, 'text')).toMatchObject({ status: 503, body: { code: 'storage_unavailable' } });
      await log.until(
        ({ msg, error }) => msg === 'The storage of files failed' && error === `Error: ${code} of a disk`,
      );
    },
  );

  it('never exceeds the limit of a user, however many uploads there are at once', async () => {
    const bob = await t.user().create();
    const uploads = Array.from({ length: 50 }, (_, i) => upload(bob, Buffer.alloc(60 * 1024, `${i} `)));
    const statuses = (await Promise.all(uploads)).map(({ status, body }) => `${status} ${String(body.code)}`);

    expect(statuses.filter((status) => status === '201 undefined')).toHaveLength(17);
    expect(statuses.filter((status) => status === '409 storage_full')).toHaveLength(33);
    expect((await bob.get('/files')).body).toMatchObject({ total: 17, bytes_used: 17 * 60 * 1024 });
    await sweep();
    expect(await t.manager.countBy(FileBlob, { userId: bob.id })).toBe(17);
  });
});

describe('GET /files', () => {
  it('lists own files, newest first, page by page', async () => {
    const bob = await t.user().create();
    const ids = [];
    for (const name of ['1', '2', '3']) ids.push((await upload(bob, name)).body.id);

    const { body } = await bob.get<Thing & { files: Thing[] }>('/files?limit=2&offset=1');
    expect(body.files.map(({ id }: { id: number }) => id)).toEqual([ids[1], ids[0]]);
    expect(body.total).toBe(3);
    expect((await bob.get('/files?limit=101')).status).toBe(422);
  });
});

describe('GET /files/{id}/content', () => {
  const content = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${t.url}${path}`, { method, headers });

  const problemOf = async (path: string) => (await (await content(path)).json()) as Thing;

  it('sends the bytes to the owner and by the signed link, and to nobody else', async () => {
    const bob = await t.user().create();
    const { body } = await upload(ada, '<script>alert(1)</script>', 'päge.html');
    const path = `/files/${String(body.id)}/content`;

    for (const response of [await content(path, bearer(ada)), await content(body.url)]) {
      expect(await response.text()).toBe('<script>alert(1)</script>');
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'text/plain; charset=utf-8',
        'content-disposition': `attachment; filename="p?ge.html"; filename*=UTF-8''p%C3%A4ge.html`,
        'content-security-policy': "default-src 'none'; sandbox",
        'cross-origin-resource-policy': 'cross-origin',
        'x-content-type-options': 'nosniff',
        'cache-control': 'private, no-cache',
        'accept-ranges': 'bytes',
        etag: `"${String(body.sha256)}"`,
      });
    }
    expect((await content(path)).status).toBe(401);
    for (const call of ['', '/content'])
      expect((await bob.get(`/files/${String(body.id)}${call}`)).status).toBe(404);
    expect((await bob.post(`/files/${String(body.id)}/delete`)).status).toBe(404);
  });

  const picture = (format: 'gif' | 'jpeg' | 'png') =>
    sharp({ create: { width: 4, height: 4, channels: 3, background: 'teal' } })
      .toFormat(format)
      .toBuffer();
  const zip = Buffer.from(`PK\x05\x06${'\0'.repeat(18)}`, 'latin1');

  it.each<[string, () => Promise<Buffer>, string | Buffer, string, string]>([
    ['a GIF that is a script', () => picture('gif'), '*/=1;alert(1)//', 'image/gif', 'inline'],
    ['a JPEG that is a ZIP archive', () => picture('jpeg'), zip, 'image/jpeg', 'inline'],
    ['a PNG that is a page', () => picture('png'), '<script>alert(1)</script>', 'image/png', 'inline'],
    [
      'a PDF that is a page',
      () => Promise.resolve(makePdf()),
      '<script>alert(1)</script>',
      'application/pdf',
      'attachment',
    ],
  ])('sends %s by its type alone, which no browser runs', async (_name, make, tail, type, disposition) => {
    const bytes = Buffer.concat([await make(), Buffer.from(tail)]);
    const { status, body } = await upload(ada, bytes, 'page.html');
    expect([status, body.mime_type]).toEqual([201, type]);

    const { headers } = await content(body.url);
    expect(headers.get('content-type')).toBe(type);
    expect(headers.get('content-disposition')).toMatch(new RegExp(`^${disposition};`));
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
  });

  it('refuses a link that was changed, of another file or expired', async () => {
    const [one, two] = [await upload(ada, 'one'), await upload(ada, 'two')];
    const token = new URL(one.body.url, t.url).searchParams.get('token')!;
    const [expires, signature] = token.split('.') as [string, string];
    const path = (id: unknown, changed: string) => `/files/${String(id)}/content?token=${changed}`;
    const later = (parseInt(expires, 36) + 1).toString(36);
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);

    expect((await content(path(one.body.id, token))).status).toBe(200);
    for (const changed of [`${later}.${signature}`, `${expires}.${flipped}`, `${token}A`, '', '.', expires])
      expect(await problemOf(path(one.body.id, changed))).toMatchObject({
        status: 401,
        code: 'unauthenticated',
        detail: 'The link is not valid.',
      });
    expect((await content(path(two.body.id, token))).status).toBe(401);
    const ago = t.app.get(FileLinks).linkTo(Number(one.body.id), Date.now() - 65 * 60_000);
    expect(await problemOf(ago)).toMatchObject({
      status: 401,
      code: 'token_expired',
      detail: 'The link has expired.',
    });
    expect((await content(`${path(one.body.id, token)}&token=x`)).status).toBe(401);
  });

  it('answers conditions and ranges', async () => {
    const { body } = await upload(ada, '0123456789');
    const etag = `"${String(body.sha256)}"`;
    const ask = async (headers: Record<string, string>, method?: string) => {
      const response = await content(body.url, headers, method);
      return [response.status, await response.text(), response.headers.get('content-range')];
    };

    expect(await ask({ 'If-None-Match': etag })).toEqual([304, '', null]);
    expect(await ask({ Range: 'bytes=2-4' })).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await ask({ Range: 'bytes=-3' })).toEqual([206, '789', 'bytes 7-9/10']);
    for (const suffix of ['10', '11', '9'.repeat(30)])
      expect(await ask({ Range: `bytes=-${suffix}` })).toEqual([206, '0123456789', 'bytes 0-9/10']);
    expect(await ask({ Range: 'bytes=-0' })).toEqual([416, expect.any(String), 'bytes */10']);
    expect(await ask({ Range: 'bytes=7-' })).toEqual([206, '789', 'bytes 7-9/10']);
    const [status, problem, range] = await ask({ Range: 'bytes=10-' });
    expect([status, range]).toEqual([416, 'bytes */10']);
    expect(JSON.parse(String(problem))).toMatchObject({ status: 416, code: 'range_not_satisfiable' });
    expect(await ask({ Range: 'bytes=10-', 'If-None-Match': etag })).toEqual([304, '', null]);
    expect(await ask({ Range: 'bytes=2-4', 'If-Range': etag })).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await ask({ Range: 'bytes=2-4', 'If-Range': '"other"' })).toEqual([200, '0123456789', null]);
    expect(await ask({ Range: 'bytes=0-1,4-5' })).toEqual([200, '0123456789', null]);
    for (const Range of ['', 'bytes=2-4', 'bytes=10-']) {
      const head = await content(body.url, { Range }, 'HEAD');
      expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
    }
  });
});

describe('removal', () => {
  it('deletes a file and its bytes, once', async () => {
    const { body } = await upload(ada, 'to be deleted');
    const before = storedPaths().length;
    const path = `/files/${String(body.id)}`;

    expect((await ada.post(`${path}/delete`)).status).toBe(204);
    await sweep();
    expect(storedPaths().length).toBe(before - 1);
    for (const answer of [
      await ada.post(`${path}/delete`),
      await ada.get(`${path}/content`),
      await ada.get(path),
    ])
      expect(answer.status).toBe(404);
    expect((await fetch(`${t.url}${String(body.url)}`)).status).toBe(404);
  });

  it('keeps what a message uses until its conversation is deleted, and removes the unused after a day', async () => {
    const bob = await t.user().withConfig(t.provider).create();
    const conversation = await bob.createConversation();
    const { user_message: message } = (await bob.send(conversation.id, 'Hi')).body;
    const [used, unused] = [(await upload(bob, 'used')).body, (await upload(bob, 'unused')).body];
    const use = {
      messageId: message.id,
      position: 0,
      fileId: Number(used.id),
      conversationId: conversation.id,
    };
    await t.manager.insert(MessageFile, use);
    await t.manager.update(StoredFile, { userId: bob.id }, { expiresAt: new Date() });
    await sweep();

    expect((await bob.get(`/files/${String(used.id)}/content`)).status).toBe(200);
    expect((await bob.get(`/files/${String(unused.id)}`)).status).toBe(404);
    expect((await bob.get('/files')).body).toMatchObject({ total: 1, bytes_used: 4 });

    const before = storedPaths().length;
    await bob.post(`/conversations/${conversation.id}/delete`);
    await sweep();
    expect((await bob.get(`/files/${String(used.id)}`)).status).toBe(404);
    expect((await bob.get('/files')).body).toMatchObject({ total: 0, bytes_used: 0 });
    expect(storedPaths().length).toBe(before - 1);
  });

  it('deletes the bytes of a deleted account', async () => {
    const bob = await t.user().create();
    await upload(bob, 'of a deleted account');
    const before = storedPaths().length;

    expect((await bob.post('/auth/me/delete', { current_password: bob.password })).status).toBe(204);
    await sweep();
    expect(storedPaths().length).toBe(before - 1);
    expect(await t.manager.countBy(FileBlob, { userId: bob.id })).toBe(0);
  });

  it('continues after a failed deletion, and repeats it', async () => {
    const bob = await t.user().create();
    for (const text of ['fails once', 'succeeds']) await upload(bob, text);
    await t.manager.delete(StoredFile, { userId: bob.id });
    await t.manager.update(FileBlob, { userId: bob.id }, { deleteAt: new Date() });
    const deleteBytes = jest
      .spyOn(t.app.get(FileStorage), 'delete')
      .mockRejectedValueOnce(new StorageUnavailableError(new Error('A disk failed')));
    await sweep();

    await log.until(({ msg }) => msg === 'Failed to delete a file from the storage');
    expect(deleteBytes).toHaveBeenCalledTimes(2);
    expect(await t.manager.countBy(FileBlob, { userId: bob.id })).toBe(1);
    await t.manager.update(FileBlob, { userId: bob.id }, { deleteAt: new Date() });
    await sweep();
    expect(await t.manager.countBy(FileBlob, { userId: bob.id })).toBe(0);
    deleteBytes.mockRestore();
  });

  it('deletes the bytes of uploads that a crash cut off', async () => {
    const { body } = await upload(ada, 'written before a crash');
    const { blobId } = await t.manager.findOneByOrFail(StoredFile, { id: Number(body.id) });
    await t.manager.delete(StoredFile, { id: Number(body.id) });
    await t.manager.update(FileBlob, { id: blobId! }, { sha256: null, deleteAt: new Date() });
    const before = storedPaths().length;
    await sweep();

    expect(storedPaths().length).toBe(before - 1);
  });
});
