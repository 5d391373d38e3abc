/** Files in a folder and in a bucket, whose server speaks S3's protocol. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { Settings } from '../../src/env/settings.js';
import { createStorage } from '../../src/files/storage/create-storage.js';
import { type FileStorage, StorageUnavailableError } from '../../src/files/storage/file-storage.js';
import { S3Server } from '../support/infrastructure/s3-server.js';
import { until } from '../support/infrastructure/until.js';

const MIB = 1024 * 1024;
const credentials = { AWS_ACCESS_KEY_ID: 'parley', AWS_SECRET_ACCESS_KEY: 'secret of the bucket' };

const storageAt = (filesUrl: string) => createStorage(Object.assign(new Settings(), { filesUrl }));

let folder: string;
let source: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-storage-'));
  source = join(folder, 'source');
  Object.assign(process.env, credentials);
  delete process.env.AWS_REGION;
  Logger.overrideLogger(false);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fileOf = (bytes: string | Buffer) => {
  writeFileSync(source, bytes);
  return source;
};

/** Timers that keep the process alive. */
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

/** Stores, reads and deletes a file, and fails to. */
async function useOnce(storage: FileStorage): Promise<void> {
  const key = randomUUID();
  await storage.put(key, fileOf('text'));
  expect(await text(await storage.get(key))).toBe('text');
  await storage.probe();
  await storage.delete(key);
  await expect(storage.get(key)).rejects.toThrow(StorageUnavailableError);
}

describe('a bucket', () => {
  let s3: S3Server;
  beforeEach(async () => void (s3 = await S3Server.start('files')));
  afterEach(() => s3.close());

  const urlOf = (path = '/users', query = '') => `s3://files${path}?endpoint=${s3.url}${query}`;
  const inBucket = (path?: string, query?: string) => storageAt(urlOf(path, query));

  it('receives a large file in parts of 5 MiB, and returns it whole or in part', async () => {
    const storage = await inBucket();
    const [key, bytes] = [randomUUID(), randomBytes(10 * MIB + 1)];
    await storage.put(key, fileOf(bytes));

    expect([...s3.objects.keys()]).toEqual([`/files/users/${key}`]);
    expect(s3.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(3);
    expect(s3.uploads.size).toBe(0);
    expect((await buffer(await storage.get(key))).equals(bytes)).toBe(true);
    const range = await buffer(await storage.get(key, { start: 5 * MIB - 2, end: 5 * MIB + 2 }));
    expect(range).toEqual(bytes.subarray(5 * MIB - 2, 5 * MIB + 3));
  });

  it.each([
    ['', ''],
    ['/', ''],
    ['/users', 'users/'],
    ['/users/of/parley/', 'users/of/parley/'],
  ])('with the prefix %p has keys that begin with %p', async (path, prefix) => {
    const [storage, key] = [await inBucket(path), randomUUID()];
    await storage.put(key, fileOf('text'));
    expect([...s3.objects.keys()]).toEqual([`/files/${prefix}${key}`]);
  });

  it('is sent a part again that its server failed to take', async () => {
    const [storage, key] = [await inBucket(), randomUUID()];
    let failures = 1;
    s3.intercept = (call) => (call.startsWith('PUT') && failures-- > 0 ? 500 : undefined);
    await storage.put(key, fileOf('text'));

    expect(s3.objects.get(`/files/users/${key}`)?.toString()).toBe('text');
  });

  it('keeps nothing of a file whose part fails twice, nor of one that cannot be completed', async () => {
    const storage = await inBucket();
    for (const failing of ['PUT partNumber uploadId', 'POST uploadId']) {
      s3.intercept = (call) => (call === failing ? 500 : undefined);
      await expect(storage.put(randomUUID(), fileOf('text'))).rejects.toThrow(StorageUnavailableError);
      await until(() => s3.uploads.size === 0);
    }
    expect(s3.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(3);
    expect(s3.objects.size).toBe(0);
  });

  it('loses a deleted file and what a crash left of its upload, and nothing else', async () => {
    const storage = await inBucket();
    const [key, other] = [randomUUID(), randomUUID()];
    for (const each of [key, other]) {
      await storage.put(each, fileOf('text'));
      await fetch(`${s3.url}/files/users/${each}?uploads`, { method: 'POST' });
    }
    await storage.delete(key);
    await storage.delete(key);

    expect([...s3.objects.keys()]).toEqual([`/files/users/${other}`]);
    expect([...s3.uploads.values()].map(({ path }) => path)).toEqual([`/files/users/${other}`]);
    await expect(storage.get(key)).rejects.toThrow(StorageUnavailableError);
  });

  it.each([
    ['&region=eu-central-1', undefined, 'eu-central-1'],
    ['', 'ap-south-1', 'ap-south-1'],
    ['&region=eu-central-1', 'ap-south-1', 'eu-central-1'],
    ['', undefined, 'us-east-1'],
  ])('with the query %p and AWS_REGION=%p is in %s', async (query, variable, region) => {
    if (variable) process.env.AWS_REGION = variable;
    try {
      await inBucket('/users', query);
      expect([...s3.regions]).toEqual([region]);
    } finally {
      delete process.env.AWS_REGION;
    }
  });

  it('that fails once is asked again; that fails twice is unavailable', async () => {
    const storage = await inBucket();
    let failures = 1;
    s3.intercept = () => (failures-- > 0 ? 503 : undefined);
    await storage.probe();
    failures = 2;
    await expect(storage.probe()).rejects.toThrow(StorageUnavailableError);
  });

  it.each([301, 403, 404])('that refuses Parley with %i at the start ends it', async (status) => {
    s3.intercept = () => status;
    const message = `FILES_URL names no storage that can be used: the bucket answered ${status}`;
    await expect(inBucket()).rejects.toThrow(message);
  });

  it('without credentials ends the start', async () => {
    const saved = { ...process.env };
    delete process.env.AWS_ACCESS_KEY_ID;
    Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', HOME: folder });
    try {
      await expect(inBucket()).rejects.toThrow('the bucket answered CredentialsProviderError');
    } finally {
      process.env = saved;
    }
  });

  it('may be unavailable at the start', async () => {
    s3.intercept = () => 503;
    const storage = await inBucket();
    s3.intercept = () => undefined;
    await storage.probe();
  });

  it('is used without leaving timers behind', async () => {
    const storage = await inBucket();
    await useOnce(storage);
    const before = timers();
    await useOnce(storage);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('that does not answer is unavailable after 10 s, while a download takes its time', async () => {
    const [storage, key] = [await inBucket(), randomUUID()];
    const bytes = randomBytes(4 * MIB);
    await storage.put(key, fileOf(bytes));
    const download = await storage.get(key);
    s3.intercept = () => new Promise(() => undefined);
    const start = performance.now();
    const stalled = [storage.put(randomUUID(), fileOf('text')), storage.probe(), storage.get(key)];
    for (const each of await Promise.allSettled(stalled))
      expect(each).toMatchObject({ status: 'rejected', reason: expect.any(StorageUnavailableError) });

    const ms = performance.now() - start;
    expect(ms).toBeGreaterThan(9_900);
    expect(ms).toBeLessThan(15_000);
    expect((await buffer(download)).equals(bytes)).toBe(true);
  });
});

describe('a folder', () => {
  it.each([
    ['a URL', (path: string) => pathToFileURL(path).href],
    ['a path', (path: string) => `file:${path}`],
  ])('may be named by %s, and is made for the owner of the server alone', async (_kind, urlOf) => {
    const path = join(folder, `files of ${randomUUID()}`);
    const [storage, key] = [await storageAt(urlOf(path)), randomUUID()];
    await storage.put(key, fileOf('text'));

    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readdirSync(path, { recursive: true })).toContain(join(key.slice(0, 2), key));
    expect(await text(await storage.get(key, { start: 1, end: 2 }))).toBe('ex');
  });

  it('is used without leaving timers behind', async () => {
    const storage = await storageAt(`file:${join(folder, randomUUID())}`);
    await useOnce(storage);
    const before = timers();
    await useOnce(storage);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('that is a file ends the start', async () => {
    const message = 'FILES_URL names no storage that can be used: EEXIST';
    await expect(storageAt(`file:${fileOf('text')}`)).rejects.toThrow(message);
  });

  it('keeps no copy of a file that it could not store', async () => {
    const [path, key] = [join(folder, randomUUID()), randomUUID()];
    const storage = await storageAt(`file:${path}`);
    const inTheWay = join(path, key.slice(0, 2), key);
    mkdirSync(inTheWay, { recursive: true });
    await expect(storage.put(key, fileOf('text'))).rejects.toThrow(StorageUnavailableError);

    expect(readdirSync(join(path, key.slice(0, 2)))).toEqual([key]);
  });

  it('does not take a key that is a path', async () => {
    const storage = await storageAt(`file:${folder}`);
    const keys = [`../${randomUUID()}`, `${randomUUID()}/`, randomUUID().slice(1), `a${randomUUID()}`];
    for (const key of keys) await expect(storage.put(key, fileOf('text'))).rejects.toThrow('Not a key');
  });
});
