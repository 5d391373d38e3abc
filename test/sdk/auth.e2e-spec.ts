import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { importJWK, SignJWT } from 'jose';
import { ParleyError, type Parley } from '../../sdk/typescript/src/index.js';
import { clock } from '../../sdk/typescript/src/platform/clock.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { totpCode, turnOnTotp } from '../support/app/totp.js';
import type { TestUser } from '../support/app/user.js';
import {
  sdk,
  sdkFor,
  sharedStorage,
  storeTokenWithSecondsLeft,
  watchedFetch,
} from '../support/clients/sdk.js';
import { MailServer } from '../support/infrastructure/mail-server.js';
import { newSigningKey, PlayedIssuer } from '../support/infrastructure/openid-provider.js';

const HOUR_MS = 3_600_000;

/** What a call fails with. */
const failure = async (call: Promise<unknown>): Promise<ParleyError> => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ParleyError);
  return error as ParleyError;
};

describe('sign-in of @parley/client', () => {
  let smtp: MailServer;
  let issuer: PlayedIssuer;
  let t: TestApp;
  let ada: TestUser;

  beforeAll(async () => {
    smtp = await MailServer.start();
    issuer = await PlayedIssuer.start();
    const OIDC_PROVIDERS = JSON.stringify([{ issuer: issuer.issuer, audience: 'app' }]);
    const env = { SMTP_URL: smtp.url, EMAIL_VERIFICATION: 'optional', OIDC_PROVIDERS };
    t = await startTestApp({ env });
    ada = await t.user().create();
  });
  afterAll(async () => {
    await t?.stop();
    await smtp?.close();
    await issuer?.stop();
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('asks for a code of the second factor, and signs in with it', async () => {
    const bob = await t.user().create();
    const { secret, recoveryCodes } = await turnOnTotp(bob);
    const { email, password } = bob;
    const parley = sdk(t);

    const refused = await failure(parley.auth.login({ email, password }));
    expect([refused.code, refused.status]).toEqual(['second_factor_required', 401]);
    const wrong = await failure(parley.auth.login({ email, password, code: '000000' }));
    expect([wrong.code, parley.auth.user]).toEqual(['wrong_code', null]);
    const user = await parley.auth.login({ email, password, code: totpCode(secret) });
    expect(user.second_factor).toBe(true);

    await parley.rest.removeTotp({ body: { current_password: password, code: recoveryCodes[0]! } });
    expect((await parley.auth.reload()).second_factor).toBe(false);
    parley.close();
  });

  it('exchanges an ID token, and stays signed in after a restart', async () => {
    const key = await newSigningKey('ES256');
    issuer.keys = [{ ...key, d: undefined }];
    const id_token = await new SignJWT({ iss: issuer.issuer, aud: 'app', sub: 'lin', name: 'Lin Lanying' })
      .setProtectedHeader({ alg: 'ES256', kid: key.kid })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(await importJWK(key, 'ES256'));
    const storage = sharedStorage();
    const parley = sdk(t, { storage });

    const refused = await failure(parley.auth.exchange({ id_token: `${id_token}x` }));
    expect([refused.code, parley.auth.user]).toEqual(['invalid_id_token', null]);
    const user = await parley.auth.exchange({ id_token });
    expect(user).toMatchObject({ username: 'Lin Lanying', email: null, has_password: false });
    const restarted = sdk(t, { storage });
    await restarted.auth.ready;
    expect((await restarted.rest.getMe()).id).toBe(user.id);
  });

  it('verifies an address, and resets a password, with mailed tokens', async () => {
    const parley = sdk(t);
    const { email } = await parley.auth.register({
      username: 'hopper',
      email: 'hopper@example.com',
      password: 'a-good-password-1',
    });
    await smtp.mailTo(email!);
    await parley.auth.resendVerification();
    await parley.auth.verifyEmail(await tokenTo(email!, 1));
    expect((await parley.auth.reload()).email_verified).toBe(true);
    expect(await failure(parley.auth.resendVerification())).toMatchObject({ code: 'already_verified' });

    await parley.auth.forgotPassword(email!);
    const token = await tokenTo(email!, 2);
    await parley.auth.resetPassword(token, 'another-good-password-2');

    expect(await failure(parley.rest.getMe())).toMatchObject({ code: 'signed_out' });
    await parley.auth.login({ email: email!, password: 'another-good-password-2' });
    const spent = await failure(parley.auth.resetPassword(token, 'another-good-password-3'));
    expect(spent.errors).toEqual([{ field: 'token', message: expect.any(String) }]);
    parley.close();
  });

  /** The token of the mail that arrived at an address at the given place. */
  async function tokenTo(email: string, index: number): Promise<string> {
    const { text } = (await smtp.mailTo(email, index)).email;
    return /#token=([\w-]{43})$/m.exec(text!)![1]!;
  }

  /** A client whose stored access token has expired. */
  async function withExpiredToken(options = {}) {
    const storage = sharedStorage();
    await sdkFor(t, ada, { storage });
    storeTokenWithSecondsLeft(t, storage, -10);
    const reasons: string[] = [];
    const parley = sdk(t, { storage, ...options });
    parley.auth.onSignedOut((reason) => reasons.push(reason));
    await parley.auth.ready;
    return { parley, storage, reasons };
  }

  const idOf = async (parley: Parley) => (await parley.rest.getMe()).id;

  it('registers, signs in, and is signed in after a restart', async () => {
    const storage = sharedStorage();
    const parley = sdk(t, { storage });
    await parley.auth.ready;
    expect(parley.auth.getSnapshot()).toEqual({ status: 'signed-out', user: null });
    const account = { username: 'grace', email: 'grace@example.com', password: 'a-good-password-1' };

    const user = await parley.auth.register(account);

    expect(parley.auth.user).toEqual(user);
    const restarted = sdk(t, { storage });
    expect(restarted.auth.getSnapshot().status).toBe('loading');
    await restarted.auth.ready;
    expect(restarted.auth.user).toEqual(user);
    expect(await idOf(restarted)).toBe(user.id);
  });

  it('throws problems as ParleyErrors', async () => {
    const parley = sdk(t);
    const unknown = await failure(
      parley.auth.login({ email: 'nobody@example.com', password: 'wrong-password' }),
    );
    expect(unknown).toMatchObject({ name: 'ParleyError', code: 'unauthenticated', status: 401 });
    expect(unknown.message).toBe('The email or the password is wrong.');
    const bad = await failure(parley.auth.register({ username: 'x', email: 'x', password: 'x' }));
    expect(bad.errors.map(({ field }) => field).sort()).toEqual(['email', 'password', 'username']);
    expect(bad.requestId).toEqual(expect.any(String));
    expect(await failure(parley.rest.getMe())).toMatchObject({ code: 'signed_out', status: 401 });
    const unreachable = sdk(t, { baseUrl: 'http://127.0.0.1:9' });
    expect(await failure(unreachable.rest.checkLiveness())).toMatchObject({
      code: 'network_error',
      status: 0,
    });
  });

  it('says how long to wait, also where a proxy answers', async () => {
    const watched = watchedFetch();
    const parley = sdk(t, { fetch: watched.fetch });
    watched.before = () => new Response('<html>', { status: 502, headers: { 'Retry-After': '7' } });

    const error = await failure(parley.rest.checkLiveness());

    expect(error).toMatchObject({ code: 'unexpected_response', status: 502, retryAfter: 7 });
  });

  it('renews an expired token once for all calls', async () => {
    const watched = watchedFetch();
    const { parley } = await withExpiredToken({ fetch: watched.fetch });

    const ids = await Promise.all(Array.from({ length: 20 }, () => idOf(parley)));

    expect(new Set(ids)).toEqual(new Set([ada.id]));
    expect(watched.count('/auth/refresh')).toBe(1);
  });

  it('repeats the body of a request that was refused', async () => {
    const { parley } = await withExpiredToken();

    const { title } = await parley.rest.createConversation({ body: { title: 'Kept' } });

    expect(title).toBe('Kept');
  });

  it('renews a token a minute before it expires', async () => {
    const watched = watchedFetch();
    const parley = await sdkFor(t, ada, { fetch: watched.fetch });
    const { monotonic } = clock;
    const shift = jest.spyOn(clock, 'monotonic').mockImplementation(() => monotonic() + 3500_000);
    await idOf(parley);
    expect(watched.count('/auth/refresh')).toBe(0);
    shift.mockImplementation(() => monotonic() + 3545_000);

    await idOf(parley);

    expect(watched.count('/auth/refresh')).toBe(1);
  });

  it.each([-HOUR_MS, HOUR_MS])('works on a clock that is off by %i ms', async (offset) => {
    const { now } = clock;
    jest.spyOn(clock, 'now').mockImplementation(() => now() + offset);
    const watched = watchedFetch();
    const storage = sharedStorage();
    const parley = await sdkFor(t, ada, { storage, fetch: watched.fetch });
    await idOf(parley);
    const restarted = sdk(t, { storage, fetch: watched.fetch });
    await restarted.auth.ready;

    await idOf(restarted);

    expect(watched.count('/auth/refresh')).toBe(0);
  });

  it.each([-HOUR_MS, HOUR_MS])('survives a clock that jumps by %i ms', async (offset) => {
    const { parley, storage, reasons } = await withExpiredToken();
    const { now } = clock;
    jest.spyOn(clock, 'now').mockImplementation(() => now() + offset);
    const restarted = sdk(t, { storage });
    await restarted.auth.ready;

    expect(await idOf(restarted)).toBe(ada.id);
    expect(await idOf(parley)).toBe(ada.id);
    expect(reasons).toEqual([]);
  });

  it('keeps two tabs signed in that refresh at the same time', async () => {
    const { parley, storage, reasons } = await withExpiredToken();
    const other = sdk(t, { storage });
    other.auth.onSignedOut((reason) => reasons.push(reason));
    await other.auth.ready;

    await Promise.all([parley, other, parley, other].map(idOf));
    storeTokenWithSecondsLeft(t, storage, -10);
    await Promise.all([parley, other].map(idOf));

    expect(reasons).toEqual([]);
    expect(
      await t.http.post('/auth/refresh', { refresh_token: storage.session!.refresh_token }),
    ).toMatchObject({
      status: 200,
    });
  });

  it('refreshes once for two tabs where there are locks', async () => {
    const navigator = { locks: serialLocks() };
    Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
    const watched = watchedFetch();
    try {
      const { parley, storage } = await withExpiredToken({ fetch: watched.fetch });
      const other = sdk(t, { storage, fetch: watched.fetch });
      await other.auth.ready;

      await Promise.all([parley, other].map(idOf));
    } finally {
      Reflect.deleteProperty(globalThis, 'navigator');
    }

    expect(watched.count('/auth/refresh')).toBe(1);
  });

  it('adopts the tokens of a tab that is far ahead', async () => {
    const { parley: behind, storage, reasons } = await withExpiredToken();
    for (let round = 0; round < 2; round++) {
      storeTokenWithSecondsLeft(t, storage, -10);
      const ahead = sdk(t, { storage });
      await ahead.auth.ready;
      await idOf(ahead);
    }

    expect(await idOf(behind)).toBe(ada.id);
    expect(reasons).toEqual([]);
  });

  it('stays signed in when the answer of a refresh is lost, refused by a proxy, or a 503', async () => {
    const watched = watchedFetch();
    const { parley, reasons } = await withExpiredToken({ fetch: watched.fetch });
    const answers = [
      () => {
        throw new TypeError('socket hang up');
      },
      () => new Response('<html>', { status: 401 }),
      () => Response.json({ code: 'draining', status: 503 }, { status: 503 }),
    ];
    watched.after = (path) => {
      if (path.endsWith('/auth/refresh')) throw new TypeError('socket hang up');
    };
    expect(await failure(idOf(parley))).toMatchObject({ code: 'network_error' });
    watched.after = undefined;
    for (const answer of answers) {
      watched.before = (path) => (path.endsWith('/auth/refresh') ? answer() : undefined);
      await failure(idOf(parley));
    }
    watched.before = undefined;

    expect(await idOf(parley)).toBe(ada.id);
    expect(reasons).toEqual([]);
  });

  it('uses a token that is about to expire when it cannot be renewed yet', async () => {
    const watched = watchedFetch();
    const parley = await sdkFor(t, ada, { fetch: watched.fetch });
    const { monotonic } = clock;
    jest.spyOn(clock, 'monotonic').mockImplementation(() => monotonic() + 3590_000);
    watched.before = (path) => (path.endsWith('/refresh') ? new Response('', { status: 500 }) : undefined);

    expect(await idOf(parley)).toBe(ada.id);
    expect(watched.count('/auth/refresh')).toBe(1);
  });

  it('signs out when the server has ended the session', async () => {
    const storage = sharedStorage();
    const parley = await sdkFor(t, ada, { storage });
    const reasons: unknown[] = [];
    parley.auth.onSignedOut((reason, error) => reasons.push(reason, error?.code));
    await ada.post('/auth/sessions/revoke-others');

    expect(await failure(idOf(parley))).toMatchObject({ code: 'signed_out' });

    expect(reasons).toEqual(['session_ended', 'unauthenticated']);
    expect(parley.auth.user).toBeNull();
    expect(storage.session).toBeNull();
  });

  it('signs out when another tab clears the storage', async () => {
    const listeners = new Map<string, (event: object) => void>();
    Object.assign(globalThis, {
      addEventListener: (type: string, listener: () => void) => listeners.set(type, listener),
    });
    const storage = sharedStorage();
    const reasons: string[] = [];
    try {
      const parley = await sdkFor(t, ada, { storage });
      const signedOut = new Promise<string>((resolve) => parley.auth.onSignedOut(resolve));
      storage.clear();
      listeners.get('storage')!({ key: null });
      reasons.push(await signedOut);
    } finally {
      Reflect.deleteProperty(globalThis, 'addEventListener');
    }

    expect(reasons).toEqual(['storage_cleared']);
  });

  it('brings no session back that was signed out during a refresh', async () => {
    const watched = watchedFetch();
    const { parley, storage, reasons } = await withExpiredToken({ fetch: watched.fetch });
    watched.after = (path) => {
      if (path.endsWith('/auth/refresh')) storage.clear();
    };

    expect(await failure(idOf(parley))).toMatchObject({ code: 'signed_out' });

    expect(storage.session).toBeNull();
    expect(reasons).toEqual(['storage_cleared']);
  });

  it('ends the session on the server at logout, also with an expired token', async () => {
    const { parley, storage, reasons } = await withExpiredToken();
    const { refresh_token } = storage.session!;

    await parley.auth.logout();

    expect(reasons).toEqual(['logout']);
    expect(storage.session).toBeNull();
    expect(await t.http.post('/auth/refresh', { refresh_token })).toMatchObject({ status: 401 });
  });

  it('works with a storage that is full, slow or forbidden', async () => {
    const forbidden = () => {
      throw new Error('SecurityError');
    };
    const slow = sharedStorage();
    const later = async <T>(value: () => T) =>
      new Promise<T>((resolve) => setImmediate(() => resolve(value())));
    const storages = [
      { getItem: forbidden, setItem: forbidden, removeItem: forbidden },
      { getItem: () => null, setItem: forbidden, removeItem: () => undefined },
      {
        getItem: (key: string) => later(() => slow.getItem(key) as string),
        setItem: (key: string, value: string) => later(() => slow.setItem(key, value)),
        removeItem: (key: string) => later(() => slow.removeItem(key)),
      },
    ];
    for (const storage of storages) {
      const parley = await sdkFor(t, ada, { storage });
      const { monotonic } = clock;
      jest.spyOn(clock, 'monotonic').mockImplementation(() => monotonic() + 3590_000);
      expect(await idOf(parley)).toBe(ada.id);
      jest.restoreAllMocks();
      await parley.auth.logout();
      expect(parley.auth.user).toBeNull();
    }
  });
});

/** Web Locks, as far as the client uses them. */
function serialLocks() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request: <T>(_name: string, _options: object, task: (lock: object) => Promise<T>): Promise<T> => {
      const run = last.then(() => task({}));
      last = run.catch(() => undefined);
      return run;
    },
  };
}
