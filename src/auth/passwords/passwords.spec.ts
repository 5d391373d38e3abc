import { describe, expect, it } from '@jest/globals';
import argon2 from 'argon2';
import { isCommonPassword } from './common-passwords.js';
import { refuseGuessablePassword } from './password-rules.js';
import { ARGON2_PARAMETERS, PasswordService } from './password.service.js';

const passwords = new PasswordService(ARGON2_PARAMETERS);

describe('PasswordService', () => {
  it("hashes with Argon2id at OWASP's parameters, each time with another salt", async () => {
    const [one, two] = await Promise.all([passwords.hash('a pass phrase'), passwords.hash('a pass phrase')]);
    const [, memory, passes, lanes] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(one) ?? [];

    expect(Number(memory)).toBeGreaterThanOrEqual(19_456);
    expect(Number(passes)).toBeGreaterThanOrEqual(2);
    expect(Number(lanes)).toBe(1);
    expect(one).not.toBe(two);
  });

  it('accepts the right password and refuses a wrong one', async () => {
    const hash = await passwords.hash('a pass phrase');

    expect(await passwords.verify(hash, 'a pass phrase')).toBe(true);
    expect(await passwords.verify(hash, 'A pass phrase')).toBe(false);
  });

  it('accepts a password in any Unicode composition', async () => {
    const hash = await passwords.hash('caf\u00e9 \ufb01n au lait');

    expect(await passwords.verify(hash, 'cafe\u0301 fin au lait')).toBe(true);
  });

  it('does not truncate long passwords', async () => {
    const long = '\u{1f511}'.repeat(127);
    const hash = await passwords.hash(`${long}a`);

    expect(await passwords.verify(hash, `${long}a`)).toBe(true);
    expect(await passwords.verify(hash, `${long}b`)).toBe(false);
  });

  it('refuses an unknown user after verifying a hash of the same parameters', async () => {
    expect(await passwords.verify(undefined, 'a pass phrase')).toBe(false);
    const { dummyHash } = passwords as unknown as { dummyHash: string };
    const shape = (hash: string) => hash.replace(/[A-Za-z0-9+/]{20,}/g, ({ length }) => String(length));
    expect(shape(dummyHash)).toBe(shape(await passwords.hash('a pass phrase')));
  });

  /** The bound is wide for loaded machines; bench/account-timing.mjs measures a whole login. */
  it('takes equally long for an unknown user', async () => {
    const hash = await passwords.hash('a pass phrase');
    const times: [unknown: number[], known: number[]] = [[], []];
    for (let i = 0; i < 30; i++) {
      const start = performance.now();
      await passwords.verify(i % 2 ? hash : undefined, 'another one');
      times[i % 2]!.push(performance.now() - start);
    }

    const [unknown, known] = times.map((each) => each.sort((a, b) => a - b)[7]!) as [number, number];
    expect(unknown).toBeGreaterThan(known / 2);
    expect(unknown).toBeLessThan(known * 2);
  });

  it('detects hashes made with weaker parameters', async () => {
    const weak = { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 };

    expect(passwords.isOutdated(await argon2.hash('a pass phrase', weak))).toBe(true);
    expect(passwords.isOutdated(await passwords.hash('a pass phrase'))).toBe(false);
  });

  it('answers 503 with Retry-After when the queue is full, and recovers', async () => {
    const crowded = new PasswordService(ARGON2_PARAMETERS);
    const tries = Array.from({ length: 130 }, () => crowded.verify('not a hash', 'x'));
    const failures = (await Promise.allSettled(tries)).map(
      (result) => (result as PromiseRejectedResult).reason,
    );

    const refused = failures.filter((error) => error.code === 'unavailable');
    // The queue holds 100; one or two run, depending on the number of cores.
    expect([28, 29]).toContain(refused.length);
    expect(refused[0].getStatus()).toBe(503);
    expect(refused[0].extras.retryAfterSeconds).toBeGreaterThan(0);
    expect(await crowded.verify(await crowded.hash('a pass phrase'), 'a pass phrase')).toBe(true);
  });
});

describe('common passwords', () => {
  it.each(['password', 'PassWord', '12345678', 'qwertyuiop', 'iloveyou', 'ｐａｓｓｗｏｒｄ'])(
    'include %s',
    async (password) => {
      expect(await isCommonPassword(password)).toBe(true);
    },
  );

  it('do not include a long passphrase', async () => {
    expect(await isCommonPassword('correct horse battery staple')).toBe(false);
  });
});

describe('refuseGuessablePassword', () => {
  const ada = { username: 'Ada Lovelace', email: 'ada@example.com' };

  it.each(['ada lovelace', 'ADA LOVELACE', 'ada@example.com', 'Ada@Example.com', 'password1'])(
    'refuses %s',
    async (password) => {
      await expect(refuseGuessablePassword(password, ada)).rejects.toMatchObject({
        code: 'validation_failed',
        extras: { errors: [{ field: 'password' }] },
      });
    },
  );

  it('accepts other passwords', async () => {
    await expect(refuseGuessablePassword('analytical engine', ada)).resolves.toBeUndefined();
  });
});
