/** Stored API keys: unreadable ones and key rotation. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { ConfigsService } from '../../src/configs/configs.service.js';
import { rotateKeys } from '../../src/configs/key-rotation.js';
import { ModelConfig } from '../../src/configs/model-config.entity.js';
import { EncryptionService } from '../../src/encryption/encryption.service.js';
import { Settings } from '../../src/env/settings.js';
import { expectProblem } from '../support/clients/problems.js';
import { type Config, configCalls, KEY } from '../support/clients/configs.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { fernetKey } from '../support/secrets.js';

let t: TestApp;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().create();
});

const { update, list, made } = configCalls(
  () => t.provider,
  () => ada,
);

describe('a stored key that no encryption key decrypts', () => {
  async function unreadable(): Promise<Config> {
    const config = await made();
    const encryptedApiKey = foreignRing().encrypt(KEY);
    await t.manager.update(ModelConfig, { id: config.id }, { encryptedApiKey });
    return config;
  }

  it('is reported by its status, and everything else works', async () => {
    const [lost, fine] = [await unreadable(), await made()];

    expect((await list()).map((config) => config.key_status)).toEqual(['unreadable', 'ok']);
    expectProblem(await ada.post(`/auth/config/${lost.id}/test`), 409, 'key_unreadable');
    expectProblem(await ada.get(`/auth/config/${lost.id}/models`), 409, 'key_unreadable');
    expect((await ada.post(`/auth/config/${fine.id}/test`)).body).toMatchObject({ ok: true });
    expect((await update(lost.id, { name: 'Still mine' })).status).toBe(200);
  });

  it('is replaced by sending the key again', async () => {
    const { id } = await unreadable();

    expect((await update(id, { api_key: KEY })).body.key_status).toBe('ok');
  });

  it('fails a chat with 409', async () => {
    const { id } = await unreadable();

    await expect(t.app.get(ConfigsService).resolve(ada.id, id)).rejects.toMatchObject({
      code: 'key_unreadable',
      status: 409,
    });
  });
});

describe('rotating encryption keys', () => {
  it('re-encrypts every readable row, leaves the others unchanged, and can be repeated', async () => {
    const { manager } = t;
    await manager.deleteAll(ModelConfig);
    const old = t.app.get(EncryptionService);
    const [fresh, ring] = ringsWith(t.settings.encryptionKeys);
    const ids = [(await made()).id, (await made()).id, (await made()).id];
    const lost = foreignRing().encrypt(KEY);
    await manager.update(ModelConfig, { id: ids[1] }, { encryptedApiKey: lost });
    const reports: object[] = [];

    const first = await rotateKeys(t.app.get(DataSource), ring, (progress) => reports.push({ ...progress }));
    const second = await rotateKeys(t.app.get(DataSource), ring, () => undefined);

    expect(first).toEqual({ scanned: 3, rotated: 2, unreadable: 1 });
    expect(second).toEqual({ scanned: 3, rotated: 0, unreadable: 1 });
    expect(reports.at(-1)).toEqual(first);
    const rows = await manager.find(ModelConfig, { order: { id: 'ASC' } });
    expect([rows[0], rows[2]].map((row) => fresh.decrypt(row!.encryptedApiKey))).toEqual([KEY, KEY]);
    expect(rows[1]!.encryptedApiKey).toBe(lost);
    expect(old.isReadable(rows[0]!.encryptedApiKey)).toBe(false);
  });

  it('does not overwrite a key changed meanwhile', async () => {
    const { manager } = t;
    await manager.deleteAll(ModelConfig);
    const { id } = await made();
    const [, ring] = ringsWith(t.settings.encryptionKeys);
    const changed = ring.encrypt('sk-new');
    const configs = manager.getRepository(ModelConfig);
    const overtaken = Object.assign(Object.create(configs) as typeof configs, {
      update: async (...rotation: Parameters<typeof configs.update>) => {
        await configs.update({ id }, { encryptedApiKey: changed });
        return configs.update(...rotation);
      },
    });
    const source = { getRepository: () => overtaken } as unknown as DataSource;
    const progress = await rotateKeys(source, ring, () => undefined);

    expect(progress).toEqual({ scanned: 1, rotated: 0, unreadable: 0 });
    expect((await manager.findOneByOrFail(ModelConfig, { id })).encryptedApiKey).toBe(changed);
  });
});

function ringOf(...encryptionKeys: string[]): EncryptionService {
  return new EncryptionService(Object.assign(new Settings(), { encryptionKeys }));
}

const foreignRing = () => ringOf(fernetKey());

/** A new key alone, and a ring that has it before the old ones. */
function ringsWith(olderKeys: string[]): [EncryptionService, EncryptionService] {
  const key = fernetKey();
  return [ringOf(key), ringOf(key, ...olderKeys)];
}
