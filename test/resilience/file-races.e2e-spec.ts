import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { In, IsNull, Not } from 'typeorm';
import { SearchIndex } from '../../src/conversations/search/index/search-index.js';
import { FileBlob } from '../../src/files/file-blob.entity.js';
import { StoredFile } from '../../src/files/file.entity.js';
import { FileSweep } from '../../src/files/file-sweep.service.js';
import { MessageFile } from '../../src/files/message-file.entity.js';
import { MessageFiles } from '../../src/files/message-files.service.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';

const ROUNDS = Number(process.env.RACE_ROUNDS ?? 6);

let t: TestApp;
let ada: TestUser;
beforeAll(async () => void (t = await startTestApp()));
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
