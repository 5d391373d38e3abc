import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
import { DataSource, EntityManager, In, IsNull, Not } from 'typeorm';
import { ConversationsService } from '../../src/conversations/conversations.service.js';
import { SearchIndex } from '../../src/conversations/search/index/search-index.js';
import { isMysql } from '../../src/database/data-source.js';
import { FileBlob } from '../../src/files/file-blob.entity.js';
import { FileBlobs } from '../../src/files/file-blobs.service.js';
import { StoredFile } from '../../src/files/file.entity.js';
import { FileSweep } from '../../src/files/file-sweep.service.js';
import { MessageFile } from '../../src/files/message-file.entity.js';
import { MessageFiles } from '../../src/files/message-files.service.js';
import { FileStorage } from '../../src/files/storage/file-storage.js';
import { TemporaryFiles } from '../../src/files/upload/temporary-files.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { until } from '../support/infrastructure/until.js';

const ROUNDS = Number(process.env.RACE_ROUNDS ?? 6);

let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  t = await startTestApp();
  // Only the tests run the sweep.
  clearInterval(t.app.get(FileSweep)['timer']);
});
beforeEach(async () => void (ada = await t.user().withConfig(t.provider).create()));
afterEach(() => void jest.restoreAllMocks());
afterAll(() => t.stop());

const sweep = () => t.app.get(FileSweep).run();
const rounds = <T>(round: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: ROUNDS }, (_, n) => round(n)));

/** Pauses sends before or after they store the use of a file, in their transaction. */
function pauseSends({ beforeMs = 0, afterMs = 0 }): void {
  const files = t.app.get(MessageFiles);
  const attach = files.attach.bind(files);
  jest.spyOn(files, 'attach').mockImplementation(async (...args) => {
    await delay(Math.random() * beforeMs);
    await attach(...args);
    await delay(Math.random() * afterMs);
  });
}

/** Uploads a file that the sweep may take at once. */
async function uploadDue(content: string): Promise<number> {
  const { id } = await ada.upload(content);
  await t.manager.update(StoredFile, { id }, { expiresAt: new Date() });
  return Number(id);
}

describe('a send with files', () => {
  beforeEach(() => pauseSends({ beforeMs: 30, afterMs: 30 }));

  it('keeps them, or is refused, while the sweep removes unused ones', async () => {
    await rounds(async (n) => {
      const { id } = await ada.createConversation({ title: 'Raced' });
      const fileId = await uploadDue(`Due ${n}`);
      const [{ status, body }] = await Promise.all([
        ada.send(id, 'Hi', { file_ids: [fileId] }),
        delay(Math.random() * 60).then(sweep),
      ]);
      await sweep();

      const content = await ada.get(`/files/${fileId}/content`);
      if (status === 200) return expect(content.status).toBe(200);
      expect([status, body, content.status]).toMatchObject([422, { errors: [{ field: 'file_ids' }] }, 404]);
      expect(await ada.history(id)).toEqual([]);
    });
  });

  it('leaves none of them behind when its conversation is deleted', async () => {
    await rounds(async (n) => {
      const { id } = await ada.createConversation({ title: 'Deleted' });
      const { id: fileId } = await ada.upload(`Sent ${n}`);
      const sent = ada.send(id, 'Hi', { file_ids: [fileId] });
      await delay(Math.random() * 60);
      await ada.post(`/conversations/${id}/delete`);
      expect([200, 404]).toContain((await sent).status);
    });
    await t.manager.update(
      StoredFile,
      { userId: ada.id, expiresAt: Not(IsNull()) },
      { expiresAt: new Date() },
    );
    await sweep();

    expect(await t.manager.countBy(StoredFile, { userId: ada.id })).toBe(0);
    expect(await t.manager.countBy(FileBlob, { userId: ada.id })).toBe(0);
    expect((await ada.get('/files')).body).toMatchObject({ total: 0, bytes_used: 0 });
  });

  it('leaves none of them behind when the account is deleted', async () => {
    const users = await rounds(async (n) => {
      const user = await t.user().withConfig(t.provider).create();
      const { id } = await user.createConversation({ title: 'Deleted' });
      const { id: fileId } = await user.upload(`Of a user ${n}`);
      const sent = user.send(id, 'Hi', { file_ids: [fileId] });
      await delay(Math.random() * 60);
      const password = { current_password: user.password };
      expect((await user.post('/auth/me/delete', password)).status).toBe(204);
      await sent;
      return user.id;
    });
    await sweep();

    const userId = In(users);
    expect(await t.manager.countBy(StoredFile, { userId })).toBe(0);
    expect(await t.manager.countBy(FileBlob, { userId })).toBe(0);
    const orphan = 'm.id IS NULL';
    const uses = t.manager.createQueryBuilder(MessageFile, 'f').leftJoin('f.message', 'm').where(orphan);
    expect(await uses.getCount()).toBe(0);
  });
});

interface Pause {
  /** Resolves when the call is reached. */
  reached: Promise<void>;
  resume(): void;
  /** Calls so far, the paused one included. */
  calls(): number;
}

type Method = (...args: never[]) => Promise<unknown>;

/** Pauses the first matching call, before or after it, inside the transaction of its caller. */
function pause<T extends object>(
  target: T,
  method: keyof T & string,
  { after = false, matches = () => true }: { after?: boolean; matches?: (...args: unknown[]) => boolean },
): Pause {
  let reach!: () => void;
  let resume!: () => void;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const resumed = new Promise<void>((resolve) => (resume = resolve));
  const original = target[method] as Method;
  let isFirst = true;
  const spy = jest.spyOn(target as Record<string, Method>, method);
  spy.mockImplementation(async function (this: T, ...args: never[]) {
    const isPaused = isFirst && matches(...args);
    if (isPaused) isFirst = false;
    const result = after ? await original.apply(this, args) : undefined;
    if (isPaused) {
      reach();
      await resumed;
    }
    return after ? result : original.apply(this, args);
  });
  return { reached, resume, calls: () => spy.mock.calls.length };
}

/**
 * Starts work while a transaction is paused, which continues once the work has ended or waits for a lock. On SQLite
 * work waits for the whole transaction.
 */
async function during<T>(
  { reached, resume }: Pause,
  paused: Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    await Promise.race([reached, paused.then(() => Promise.reject(new Error('The call was not reached.')))]);
    const working = work();
    let hasEnded = false;
    void working.finally(() => (hasEnded = true)).catch(() => undefined);
    if (isMysql(t.app.get(DataSource)))
      await until(async () => hasEnded || (await hasLockWait()), 2_000, LOCK_WAITS_AGE_MS);
    else await delay(20);
    resume();
    await paused;
    return await working;
  } finally {
    resume();
  }
}

/** InnoDB refreshes its list once it was not read for 100 ms. */
const LOCK_WAITS_AGE_MS = 120;
const LOCK_WAITS =
  'SELECT 1 FROM information_schema.innodb_trx x JOIN information_schema.processlist p ' +
  "ON p.id = x.trx_mysql_thread_id WHERE x.trx_state = 'LOCK WAIT' AND p.db = DATABASE()";
const hasLockWait = async () => (await t.manager.query<unknown[]>(LOCK_WAITS)).length > 0;

/** As on another node: this one waits for its own sends. */
async function deleteElsewhere(conversation: number) {
  await t.app.get(ConversationsService).delete(ada.id, conversation);
  return { status: 204 };
}

const beforeUseIsStored = () =>
  pause(EntityManager.prototype, 'insert', { matches: (target) => target === MessageFile });
const contentOf = async (id: number) => (await ada.get<string>(`/files/${id}/content`)).body;
const bytesUsed = async () => (await ada.get('/files')).body.bytes_used;

describe('a send whose transaction is running', () => {
  let conversation: number;
  let file: number;
  beforeEach(async () => {
    await sweep();
    conversation = (await ada.createConversation({ title: 'Raced' })).id;
    file = await uploadDue('Raced');
  });
  const send = () => ada.send(conversation, 'Hi', { file_ids: [file] });

  it('keeps its file from the sweep', async () => {
    const paused = beforeUseIsStored();
    const sent = send();
    await during(paused, sent, sweep);

    expect((await sent).status).toBe(200);
    expect(await contentOf(file)).toBe('Raced');
    expect((await ada.history(conversation))[0]!.files).toMatchObject([{ id: file, deleted: false }]);
    expect(await t.manager.findOneBy(StoredFile, { id: file })).toMatchObject({ expiresAt: null });
  });

  it('names its file as deleted after a deletion', async () => {
    const paused = beforeUseIsStored();
    const sent = send();
    const { status } = await during(paused, sent, () => ada.post(`/files/${file}/delete`));

    expect([status, (await sent).status]).toEqual([204, 200]);
    expect((await ada.history(conversation))[0]!.files).toMatchObject([{ id: file, deleted: true }]);
    expect(await bytesUsed()).toBe(0);
  });

  it.each<[string, () => Promise<{ status: number }>]>([
    ['its conversation', () => deleteElsewhere(conversation)],
    ['its account', () => ada.post('/auth/me/delete', { current_password: ada.password })],
  ])('leaves no file when %s is deleted', async (_what, remove) => {
    const paused = pause(t.app.get(MessageFiles), 'attach', { after: true });
    const sent = send();
    const { status } = await during(
      paused,
      sent.catch(() => undefined),
      remove,
    );
    expect(status).toBe(204);
    await sweep();

    expect(await t.manager.countBy(StoredFile, { userId: ada.id })).toBe(0);
    expect(await t.manager.countBy(FileBlob, { userId: ada.id })).toBe(0);
  });
});

describe('a removal whose transaction is running', () => {
  it.each<[string, (id: number) => Promise<unknown>]>([
    ['the sweep', sweep],
    ['a deletion', (id) => ada.post(`/files/${id}/delete`)],
  ])('by %s has a send refused', async (_what, remove) => {
    const { id } = await ada.createConversation({ title: 'Raced' });
    const file = await uploadDue('Raced');
    const paused = pause(t.app.get(FileBlobs), 'release', {});
    const removed = remove(file);
    const { status, body } = await during(paused, removed, () => ada.send(id, 'Hi', { file_ids: [file] }));

    expect([status, body]).toMatchObject([422, { errors: [{ field: 'file_ids' }] }]);
    expect(await ada.history(id)).toEqual([]);
    expect(await bytesUsed()).toBe(0);
  });

  it.each<[string, (id: number) => Promise<unknown>]>([
    ['the sweep', sweep],
    ['a deletion', (id) => ada.post(`/files/${id}/delete`)],
  ])('by %s leaves the bytes to an upload of the same ones', async (_what, remove) => {
    const file = await uploadDue('Same bytes');
    const paused = pause(t.app.get(FileBlobs), 'adopt', { after: true });
    const uploaded = ada.upload('Same bytes');
    await during(paused, uploaded, () => remove(file));
    await sweep();

    expect(await contentOf((await uploaded).id)).toBe('Same bytes');
    expect(await bytesUsed()).toBe('Same bytes'.length);
  });
});

it('takes a file whose last conversation is deleted while the sweep finds it in use', async () => {
  const file = await ada.upload('Shared');
  const [one, two] = [await ada.createConversation(), await ada.createConversation()];
  for (const { id } of [one, two]) await ada.send(id, 'Hi', { file_ids: [file.id] });
  await ada.post(`/conversations/${one.id}/delete`);
  await sweep();
  await t.manager.update(StoredFile, { id: file.id }, { expiresAt: new Date() });
  // The sweep has found that the other conversation uses it.
  const paused = pause(EntityManager.prototype, 'update', {
    matches: (target, _where, changes) =>
      target === StoredFile && (changes as { expiresAt?: unknown }).expiresAt === null,
  });
  const swept = sweep();
  await during(paused, swept, () => ada.post(`/conversations/${two.id}/delete`));
  await sweep();

  expect(await t.manager.countBy(StoredFile, { userId: ada.id })).toBe(0);
});

it('deletes bytes once, though two nodes sweep, and stores the same ones again meanwhile', async () => {
  const file = await uploadDue('Deleted slowly');
  const storage = t.app.get(FileStorage);
  const other = new FileSweep(
    t.app.get(DataSource),
    storage,
    t.app.get(FileBlobs),
    t.app.get(TemporaryFiles),
  );
  // The claim, unlike the release, leaves the hash.
  const claim = pause(EntityManager.prototype, 'update', {
    matches: (target, _where, changes) => target === FileBlob && !('sha256' in (changes as object)),
  });
  const deletion = pause(storage, 'delete', {});
  const swept = sweep();
  await claim.reached;
  const sweptElsewhere = other.run();
  await deletion.reached;
  claim.resume();
  await swept;
  const again = await ada.upload('Deleted slowly');
  expect(again.id).not.toBe(file);
  deletion.resume();
  await sweptElsewhere;

  expect(deletion.calls()).toBe(1);
  expect(await contentOf(again.id)).toBe('Deleted slowly');
});

it('scales an image once for sends at the same time', async () => {
  const create = { width: 3000, height: 20, channels: 3 as const, background: 'teal' };
  const file = await ada.upload(await sharp({ create }).png().toBuffer(), 'wide.png');
  const sends = Array.from({ length: 4 }, async () => {
    const { id } = await ada.createConversation({ title: 'Scaled' });
    return (await ada.send(id, 'Hi', { file_ids: [file.id] })).status;
  });
  expect(await Promise.all(sends)).toEqual(Array(4).fill(200));
  await sweep();

  // The image and its scaled copy.
  expect(await t.manager.countBy(FileBlob, { userId: ada.id })).toBe(2);
});

it('leaves no file of a send that begins during the deletion of its conversation', async () => {
  const { id } = await ada.createConversation({ title: 'Deleted' });
  const file = await ada.upload('Sent late');
  const index = t.app.get(SearchIndex);
  const tombstone = index.tombstone.bind(index);
  let sent: Promise<unknown> | undefined;
  jest.spyOn(index, 'tombstone').mockImplementationOnce(async (...args) => {
    await tombstone(...args);
    sent = ada.send(id, 'Hi', { file_ids: [file.id] });
    await delay(500);
  });

  expect((await ada.post(`/conversations/${id}/delete`)).status).toBe(204);
  expect(await sent).toMatchObject({ status: 404 });
  const unused = await t.manager.findOneByOrFail(StoredFile, { id: Number(file.id) });
  expect(unused.expiresAt).not.toBeNull();
});

it('takes a file once its last conversation is deleted, though another deletion races the sweep', async () => {
  await rounds(async (n) => {
    const { id: fileId } = await ada.upload(`Shared ${n}`);
    const conversations = [await ada.createConversation(), await ada.createConversation()];
    for (const { id } of conversations) await ada.send(id, 'Hi', { file_ids: [fileId] });
    await Promise.all(conversations.map(({ id }) => ada.post(`/conversations/${id}/delete`)));
    await sweep();
    expect(await t.manager.findBy(StoredFile, { id: Number(fileId) })).toEqual([]);
  });
});
