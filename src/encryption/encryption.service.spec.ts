import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Global, Module } from '@nestjs/common';
import { Settings } from '../env/settings.js';
import { EncryptionModule } from './encryption.module.js';
import { EncryptionService, UnreadableTokenError } from './encryption.service.js';
import { fernetKey } from '../../test/support/secrets.js';

const [oldKey, middleKey, freshKey] = [fernetKey(), fernetKey(), fernetKey()];

function serviceWith(...encryptionKeys: string[]): EncryptionService {
  return new EncryptionService(Object.assign(new Settings(), { encryptionKeys }));
}

const errorOf = (action: () => unknown): Error => {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
};

describe('EncryptionService', () => {
  it.each(['', 'sk-proj-0123456789', '👩‍💻 é العربية 中文 \0 \r\n', '\ufeffwith a BOM', 'x'.repeat(4096)])(
    'decrypts to the encrypted plaintext: %j',
    (plaintext) => {
      const service = serviceWith(freshKey);
      const token = service.encrypt(plaintext);

      expect(token).toMatch(/^gAAAAA[\w-]+={0,2}$/);
      expect(service.decrypt(token)).toBe(plaintext);
    },
  );

  it('encrypts with the first key and decrypts with every key', () => {
    const ring = serviceWith(freshKey, middleKey, oldKey);

    expect(ring.decrypt(serviceWith(oldKey).encrypt('old'))).toBe('old');
    expect(ring.decrypt(serviceWith(middleKey).encrypt('middle'))).toBe('middle');
    expect(serviceWith(freshKey).decrypt(ring.encrypt('new'))).toBe('new');
  });

  it('reports which tokens are readable and which need rotation', () => {
    const ring = serviceWith(freshKey, oldKey);
    const tokens = [freshKey, oldKey, middleKey].map((key) => serviceWith(key).encrypt('x'));

    expect(tokens.map((token) => ring.isReadable(token))).toEqual([true, true, false]);
    expect(tokens.map((token) => ring.needsRotation(token))).toEqual([false, true, true]);
  });

  it('rotates a token to the first key', () => {
    const rotated = serviceWith(freshKey, oldKey).rotate(serviceWith(oldKey).encrypt('sk-kept'));

    expect(serviceWith(freshKey).decrypt(rotated)).toBe('sk-kept');
    expect(serviceWith(freshKey).needsRotation(rotated)).toBe(false);
    expect(serviceWith(oldKey).isReadable(rotated)).toBe(false);
  });

  it('throws UnreadableTokenError for a token that no key decrypts', () => {
    const service = serviceWith(freshKey);
    const foreign = serviceWith(oldKey).encrypt('x');

    for (const token of [foreign, '', 'not a token', `${service.encrypt('x')}=`]) {
      expect(service.isReadable(token)).toBe(false);
      expect(errorOf(() => service.decrypt(token))).toBeInstanceOf(UnreadableTokenError);
      expect(errorOf(() => service.rotate(token))).toBeInstanceOf(UnreadableTokenError);
    }
  });

  it('includes no token, key or plaintext in its errors', () => {
    const token = serviceWith(oldKey).encrypt('sk-secret');
    const { message, stack } = errorOf(() => serviceWith(freshKey).decrypt(token));
    const badKey = errorOf(() => serviceWith(freshKey, 'a-bad-key'));

    for (const secret of [token, oldKey, freshKey, 'sk-secret'])
      expect(message + stack).not.toContain(secret);
    expect(badKey.message + badKey.stack).not.toMatch(/a-bad-key/);
  });

  it('throws without a key', () => {
    expect(() => serviceWith()).toThrow('ENCRYPTION_KEYS');
  });

  it('uses the keys of the injected settings', async () => {
    @Global()
    @Module({
      providers: [{ provide: Settings, useValue: { encryptionKeys: [oldKey] } }],
      exports: [Settings],
    })
    class FixedSettings {}

    const app = await Test.createTestingModule({ imports: [FixedSettings, EncryptionModule] }).compile();

    expect(app.get(EncryptionService).decrypt(serviceWith(oldKey).encrypt('x'))).toBe('x');
  });
});
