/** Stored API keys after tampering, loss of the encryption keys, and rotation. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DataSource } from 'typeorm';
import { ModelConfig } from '../../src/configs/model-config.entity.js';
import { EncryptionService } from '../../src/encryption/encryption.service.js';
import { Settings } from '../../src/env/settings.js';
import { TotpSecret } from '../../src/auth/totp/totp-secret.entity.js';
import { QueuedMail } from '../../src/mail/queued-mail.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';
import { fernetKey } from '../support/secrets.js';

const ROTATE = join(import.meta.dirname, '../../dist/server/rotate-keys.js');

const ringOf = (...encryptionKeys: string[]) =>
  new EncryptionService(Object.assign(new Settings(), { encryptionKeys }));

let t: TestApp;
beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t?.stop());
// Passport keeps one strategy per process, from the app started last, which may have stopped.
beforeEach(() => t.restart());

const rows = () => t.app.get(DataSource).getRepository(ModelConfig);
const storedKey = async (id: number) => (await rows().findOneByOrFail({ id })).encryptedApiKey;
const store = (id: number, encryptedApiKey: string) => rows().update({ id }, { encryptedApiKey });

async function configsOf(user: TestUser): Promise<Thing[]> {
  const { body } = await user.get<{ configs: Thing[] }>('/auth/config');
  return body.configs;
}

async function addConfig(user: TestUser): Promise<number> {
  const config = { model_url: t.provider.url, model_name: 'second', api_key: 'sk-second' };
  return (await user.post('/auth/config/create', config)).body.id;
}

/** Expects operations without the key to work, and the others to name the configuration. */
async function expectUnreadable(user: TestUser, lost: number, fine: number): Promise<void> {
  const statuses = (await configsOf(user)).map(({ id, key_status }) => [id, key_status]);
  expect(statuses).toEqual([
    [lost, 'unreadable'],
    [fine, 'ok'],
  ]);
  const conversation = await user.createConversation({ config_id: lost });
  const refused = await user.send(conversation.id, 'Hi');
  expect(refused).toMatchObject({ status: 409, body: { code: 'key_unreadable', config_id: lost } });
  expect(refused.body.detail).toBe(
    'The key of this configuration can no longer be read; send its api_key again.',
  );
  expect(await user.history(conversation.id)).toEqual([]);
  expect((await user.send(conversation.id, 'Hi', { config_id: fine })).status).toBe(200);
  const { body } = await user.post(`/auth/config/${lost}/update`, { name: 'Renamed' });
  expect(body).toMatchObject({ name: 'Renamed', key_status: 'unreadable' });
}

/** A Fernet token with one byte changed. */
function flip(token: string, at: number): string {
  const bytes = Buffer.from(token, 'base64url');
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes.toString('base64url').padEnd(token.length, '=');
}

describe('a tampered stored key', () => {
  // Fernet: version 0x80, 8 bytes of time, 16 of IV, the ciphertext, 32 of HMAC.
  it.each<[string, (token: string) => string]>([
    ['changed version', (token) => flip(token, 0)],
    ['changed time', (token) => flip(token, 4)],
    ['changed IV', (token) => flip(token, 9)],
    ['changed ciphertext', (token) => flip(token, 25)],
    ['changed HMAC', (token) => flip(token, -1)],
    ['truncated', (token) => token.slice(0, -8)],
    ['invalid character', (token) => `${token.slice(0, 20)}*${token.slice(21)}`],
    ['extended', (token) => `${token}AAAA`],
    ['empty', () => ''],
    ['not encrypted', () => 'sk-plain'],
  ])('(%s) is unreadable, and everything else works', async (_, tamper) => {
    const ada = await t.user().withConfig(t.provider).create();
    const fine = await addConfig(ada);
    await store(ada.configId!, tamper(await storedKey(ada.configId!)));

    await expectUnreadable(ada, ada.configId!, fine);
    const authorizations = t.provider.requests.splice(0).map(({ headers }) => headers.authorization);
    expect(new Set(authorizations)).toEqual(new Set(['Bearer sk-second']));
  });
});

describe('a server without its encryption key', () => {
  it('marks each configuration, keeps the rest working, and accepts new keys', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const node = await t.startNode({ ENCRYPTION_KEYS: fernetKey() });
    try {
      const here = ada.on(node);
      const fine = await addConfig(here);
      await expectUnreadable(here, ada.configId!, fine);
      const { body } = await here.post(`/auth/config/${ada.configId}/update`, { api_key: 'sk-test' });
      expect(body.key_status).toBe('ok');
    } finally {
      await node.stop();
    }
  });
});

describe('npm run keys:rotate', () => {
  /** Several pages of rows, to abort between two of them. */
  const COUNT = 2500;
  const scripts: ChildProcess[] = [];
  let [oldKey, freshKey] = ['', ''];
  let ada: TestUser;

  beforeEach(async () => {
    oldKey = t.settings.encryptionKeys[0]!;
    freshKey = fernetKey();
    await rows().deleteAll();
    t.provider.requests.splice(0);
    ada = await t.user().withConfig(t.provider).create();
    const template = await rows().findOneByOrFail({ id: ada.configId });
    const ring = ringOf(oldKey);
    const many = Array.from({ length: COUNT }, (_, index) => {
      const { id: _id, ...values } = template;
      return { ...values, encryptedApiKey: ring.encrypt(`sk-${index}`) };
    });
    for (let from = 0; from < COUNT; from += 500) await rows().insert(many.slice(from, from + 500) as never);
  });
  afterEach(() => scripts.splice(0).forEach((script) => script.kill('SIGKILL')));

  function rotate(...keys: string[]): ChildProcess {
    const { databaseUrl, jwtSecrets, dataDir } = t.settings;
    const env = {
      DATABASE_URL: databaseUrl,
      JWT_SECRETS: jwtSecrets.join(','),
      ENCRYPTION_KEYS: keys.join(','),
    };
    const script = spawn(process.execPath, [ROTATE], {
      cwd: dataDir,
      env: { PATH: process.env.PATH, NODE_ENV: 'test', DATA_DIR: dataDir, ...env },
    });
    scripts.push(script);
    return script;
  }

  async function ended(
    script: ChildProcess,
  ): Promise<{ code: number | null; lines: string[]; errors: string[] }> {
    const lines: string[] = [];
    const errors: string[] = [];
    createInterface({ input: script.stdout! }).on('line', (line) => lines.push(line));
    createInterface({ input: script.stderr! }).on('line', (line) => errors.push(line));
    const [code] = (await once(script, 'close')) as [number | null];
    return { code, lines, errors };
  }

  async function countReadableBy(key: string): Promise<number> {
    const ring = ringOf(key);
    const all = await rows().find({ select: { id: true, encryptedApiKey: true } });
    return all.filter(({ encryptedApiKey }) => ring.isReadable(encryptedApiKey)).length;
  }

  it('runs online, resumes after an abort, reports progress, and makes the old key removable', async () => {
    const broken = rotate(freshKey, oldKey);
    await once(broken.stdout!, 'data');
    broken.kill('SIGKILL');
    await once(broken, 'close');
    const done = await countReadableBy(freshKey);
    expect(done).toBeGreaterThanOrEqual(500);
    expect(done).toBeLessThan(COUNT + 1);
    expect((await countReadableBy(oldKey)) + done).toBe(COUNT + 1);

    const node = await t.startNode({ ENCRYPTION_KEYS: `${freshKey},${oldKey}` });
    const resumed = ended(rotate(freshKey, oldKey));
    const conversation = await ada.on(node).createConversation();
    expect((await ada.on(node).send(conversation.id, 'Hi')).status).toBe(200);
    const { code, lines } = await resumed;
    await node.stop();

    expect([code, lines.at(-1)]).toEqual([
      0,
      `${COUNT + 1} seen, ${COUNT + 1 - done} re-encrypted, 0 unreadable`,
    ]);
    expect(lines.length).toBeGreaterThan(5);
    expect(await countReadableBy(oldKey)).toBe(0);

    const alone = await ended(rotate(freshKey));
    expect([alone.code, alone.lines.at(-1)]).toEqual([0, `${COUNT + 1} seen, 0 re-encrypted, 0 unreadable`]);
    const after = await t.startNode({ ENCRYPTION_KEYS: freshKey });
    expect((await ada.on(after).send(conversation.id, 'And now?')).status).toBe(200);
    await after.stop();
    expect(t.provider.chats.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer sk-test',
      'Bearer sk-test',
    ]);
  });

  it('re-encrypts mails that wait to be sent', async () => {
    const encryptedMail = ringOf(oldKey).encrypt('{"to":"ada@example.com"}');
    const later = new Date(Date.now() + 3_600_000);
    const mail = { userId: ada.id, encryptedMail, nextAttemptAt: later, createdAt: new Date() };
    await t.manager.insert(QueuedMail, mail);

    expect((await ended(rotate(freshKey, oldKey))).code).toBe(0);

    const rotated = await t.manager.findOneByOrFail(QueuedMail, { userId: ada.id });
    expect(ringOf(freshKey).decrypt(rotated.encryptedMail)).toBe('{"to":"ada@example.com"}');
    await t.manager.delete(QueuedMail, { userId: ada.id });
  });

  it('re-encrypts secrets of authenticator apps, and exits with 1 for one that no key decrypts', async () => {
    const eve = await t.user().create();
    const rowOf = (userId: number) => t.manager.findOneByOrFail(TotpSecret, { userId });
    const lost = ringOf(fernetKey()).encrypt('LOST');
    await t.manager.insert(TotpSecret, { userId: ada.id, encryptedSecret: ringOf(oldKey).encrypt('SECRET') });

    expect((await ended(rotate(freshKey, oldKey))).code).toBe(0);
    expect(ringOf(freshKey).decrypt((await rowOf(ada.id)).encryptedSecret)).toBe('SECRET');
    await t.manager.insert(TotpSecret, { userId: eve.id, encryptedSecret: lost });
    expect(await ended(rotate(freshKey, oldKey))).toMatchObject({
      code: 1,
      errors: [
        '1 secrets of authenticator apps cannot be read: keep the older ENCRYPTION_KEYS, or ask their owners to set up the second factor again, after signing in with a recovery code.',
      ],
    });
    expect((await rowOf(eve.id)).encryptedSecret).toBe(lost);
    await t.manager.deleteAll(TotpSecret);
  });

  it('exits with 1 and leaves a key unchanged that no key decrypts', async () => {
    const lost = ringOf(fernetKey()).encrypt('sk-lost');
    await store(ada.configId!, lost);

    const { code, lines, errors } = await ended(rotate(freshKey, oldKey));
    expect(errors).toEqual([
      '1 stored keys cannot be read: keep the older ENCRYPTION_KEYS, or ask the owners to enter them again.',
    ]);
    expect([code, lines.at(-1)]).toEqual([1, `${COUNT + 1} seen, ${COUNT} re-encrypted, 1 unreadable`]);
    expect(await storedKey(ada.configId!)).toBe(lost);
  });
});
