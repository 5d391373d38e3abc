/** Access tokens, and their refresh. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createConnection } from 'node:net';
import { RefreshToken } from '../../src/auth/sessions/refresh-token.entity.js';
import { hashToken } from '../../src/encryption/random-token.js';
import { ExpiryPurgeService } from '../../src/auth/tokens/expiry-purge.service.js';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { sessionIdOf } from '../support/app/access-token.js';
import { refresh } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gapsInAudit } from '../support/app/audit.js';
import type { Answer } from '../support/clients/http.js';
import { expectProblem } from '../support/clients/problems.js';
import type { TestUser, Tokens } from '../support/app/user.js';

let t: TestApp;
const logLines: string[] = [];

beforeAll(async () => {
  t = await startTestApp({ log: { write: (line: string) => void logLines.push(line) } });
});
afterAll(() => t.stop());

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);

/** Audit entries of a user since the last call. */
function auditOf(userId: number): Record<string, unknown>[] {
  const lines = logLines.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.filter((line) => line.context === 'Audit' && line.user_id === userId);
}

describe('access tokens', () => {
  const challengeOf = (answer: Answer<unknown>) => answer.headers.get('WWW-Authenticate');

  it('are required; a challenge without a token names no error', async () => {
    const answer = await t.http.get('/auth/me');

    expectProblem(answer, 401, 'unauthenticated');
    expect(challengeOf(answer)).toBe('Bearer realm="parley"');
  });

  it.each(['Basic YWRhOmFkYQ==', 'Bearer', 'Bearer ', 'token'])(
    'are not read from the header %j',
    async (Authorization) => {
      const answer = await t.http.get('/auth/me', { Authorization });

      expectProblem(answer, 401, 'unauthenticated');
      expect(challengeOf(answer)).toBe('Bearer realm="parley"');
    },
  );

  it('are refused when invalid, with an invalid_token challenge', async () => {
    const answer = await t.http.get('/auth/me', { Authorization: 'Bearer a.b.c' });

    expectProblem(answer, 401, 'unauthenticated');
    expect(challengeOf(answer)).toContain('error="invalid_token"');
  });

  it('are accepted with "Bearer" in any case', async () => {
    const ada = await t.user().create();
    const Authorization = `bearer ${ada.tokens.access_token}`;

    expect((await t.http.get('/auth/me', { Authorization })).status).toBe(200);
  });

  it('are ignored in a query, a body or a cookie', async () => {
    const { tokens } = await t.user().create();
    const { access_token } = tokens;
    for (const name of ['access_token', 'token', 'auth_token', 'jwt']) {
      expectProblem(await t.http.get(`/auth/me?${name}=${access_token}`), 401, 'unauthenticated');
      expectProblem(await t.http.post('/auth/logout', { [name]: access_token }), 401, 'unauthenticated');
      expectProblem(
        await t.http.get('/auth/me', { Cookie: `${name}=${access_token}` }),
        401,
        'unauthenticated',
      );
    }
  });

  it('are refused in a duplicate Authorization header', async () => {
    const ada = await t.user().create();
    const header = `Authorization: Bearer ${ada.tokens.access_token}`;

    expect(await statusOfRaw([header])).toBe(200);
    expect(await statusOfRaw([header, header])).toBe(401);
    expect(await statusOfRaw([header, 'authorization: Bearer a.b.c'])).toBe(401);
    expect(await statusOfRaw(['Authorization: Bearer a.b.c', header])).toBe(401);
  });

  it('cannot be exchanged with refresh tokens, in either direction', async () => {
    const { tokens } = await t.user().create();
    const Authorization = `Bearer ${tokens.refresh_token}`;

    expectProblem(await t.http.get('/auth/me', { Authorization }), 401, 'unauthenticated');
    expectProblem(await refresh(t, tokens.access_token), 401, 'unauthenticated');
  });

  it('are refused for another user’s session', async () => {
    const [ada, bob] = [await t.user().create(), await t.user().create()];
    await t.manager.update(Session, { id: sessionIdOf(ada.tokens) }, { userId: bob.id });

    expectProblem(await ada.get('/auth/me'), 401, 'token_revoked');
  });

  /** The status of GET /auth/me with headers exactly as given. */
  function statusOfRaw(headers: string[]): Promise<number> {
    const { hostname, port } = new URL(t.url);
    return new Promise((resolve, reject) => {
      const socket = createConnection(Number(port), hostname);
      let text = '';
      socket.on('data', (bytes) => (text += bytes.toString()));
      socket.on('end', () => resolve(Number(text.split(' ')[1])));
      socket.on('error', reject);
      const lines = ['GET /auth/me HTTP/1.1', 'Host: parley', 'Connection: close', ...headers, '', ''];
      socket.write(lines.join('\r\n'));
    });
  }
});

describe('refresh', () => {
  it('returns new tokens for the same session', async () => {
    const ada = await t.user().create();
    const { status, body } = await refresh(t, ada.tokens.refresh_token);

    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      token_type: 'bearer',
      expires_in: 3600,
      refresh_expires_in: 604800,
    });
    expect(body.refresh_token).not.toBe(ada.tokens.refresh_token);
    expect(sessionIdOf(body)).toBe(sessionIdOf(ada.tokens));
    const Authorization = `Bearer ${body.access_token}`;
    expect((await t.http.get('/auth/me', { Authorization })).body.id).toBe(ada.id);
  });

  const spentAgo = (seconds: number, { refresh_token }: Tokens, also: Partial<RefreshToken> = {}) =>
    t.manager.update(
      RefreshToken,
      { tokenHash: hashToken(refresh_token) },
      { usedAt: ago(seconds), ...also },
    );

  it.each<[string, number, Partial<RefreshToken>]>([
    ['at once', 0, {}],
    ['after 11 seconds', 11, {}],
    ['after 59 minutes', 59 * 60, {}],
    ['once the spent token itself has expired', 59 * 60, { expiresAt: ago(60) }],
  ])('returns the unused successor again after a lost response, %s', async (_, seconds, also) => {
    const ada = await t.user().create();
    const first = await refresh(t, ada.tokens.refresh_token);
    await spentAgo(seconds, ada.tokens, also);
    await t.app.get(ExpiryPurgeService).run();
    const again = await refresh(t, ada.tokens.refresh_token);

    expect(again.status).toBe(200);
    expect(again.body.refresh_token).toBe(first.body.refresh_token);
    expect(again.body.access_token).not.toBe(first.body.access_token);
    const Authorization = `Bearer ${again.body.access_token}`;
    expect((await t.http.get('/auth/me', { Authorization })).body.id).toBe(ada.id);
    expect((await refresh(t, again.body.refresh_token)).status).toBe(200);
    const late = await refresh(t, ada.tokens.refresh_token);
    expectProblem(late, 401, also.expiresAt ? 'token_expired' : 'token_reused');
  });

  it('returns the unused successor again after refreshes of other sessions', async () => {
    const ada = await t.user().create();
    const { body: lost } = await refresh(t, ada.tokens.refresh_token);
    let { refresh_token } = (await ada.signInAgain()).tokens;
    for (let n = 0; n < 2; n++) ({ refresh_token } = (await refresh(t, refresh_token)).body);

    expect((await refresh(t, ada.tokens.refresh_token)).body.refresh_token).toBe(lost.refresh_token);
  });

  it('returns the successor again for each link of a chain, on every node', async () => {
    const ada = await t.user().create();
    const node = await t.startNode();
    try {
      let { refresh_token } = ada.tokens;
      for (let link = 0; link < 3; link++) {
        const { body: lost } = await refresh(t, refresh_token);
        await spentAgo(30 * 60, { ...ada.tokens, refresh_token });
        const again = await node.http.post<Tokens>('/auth/refresh', { refresh_token });
        expect(again.body.refresh_token).toBe(lost.refresh_token);
        ({ refresh_token } = again.body);
      }
    } finally {
      await node.stop();
      await t.restart(); // Passport's strategy is the process's: the node took it along
    }
  });

  it.each<[string, (ada: TestUser, other: TestUser) => Promise<Answer>]>([
    ['a logout', (ada) => ada.post('/auth/logout')],
    ['a revocation', (ada, other) => other.post(`/auth/sessions/${sessionIdOf(ada.tokens)}/revoke`)],
    [
      'a changed password',
      (_, other) => other.post('/auth/me/password', { password: 'another long phrase' }),
    ],
  ])('does not return the successor again after %s', async (_, end) => {
    const ada = await t.user().create();
    const other = await ada.signInAgain();
    await refresh(t, ada.tokens.refresh_token);
    expect((await end(ada, other)).status).toBe(204);

    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'unauthenticated');
  });

  it('answers 50 concurrent refreshes with one lineage', async () => {
    const ada = await t.user().create();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(t, ada.tokens.refresh_token)));

    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
    const rows = await t.manager.findBy(RefreshToken, { sessionId: sessionIdOf(ada.tokens) });
    expect(rows).toHaveLength(2);
    expect((await refresh(t, answers[0]!.body.refresh_token)).status).toBe(200);
  });

  it('ends the session when a token is reused after its successor was used', async () => {
    const ada = await t.user().create();
    const { body: second } = await refresh(t, ada.tokens.refresh_token);
    const { body: third } = await refresh(t, second.refresh_token);
    auditOf(ada.id);

    let reuse!: Answer<unknown>;
    const events = await t.eventsDuring(
      ada.id,
      async () => (reuse = await refresh(t, ada.tokens.refresh_token)),
    );

    expectProblem(reuse, 401, 'token_reused');
    expect(reuse.headers.get('WWW-Authenticate')).toContain('error="invalid_token"');
    const session_id = sessionIdOf(ada.tokens);
    expect(events).toMatchObject([{ type: 'session.revoked', body: { session_id } }]);
    expect(auditOf(ada.id)).toMatchObject([
      { event: 'refresh.reused', session_id, address: '127.0.0.1' },
      { event: 'session.revoked', session_id },
    ]);
    expectProblem(await ada.get('/auth/me'), 401, 'token_revoked');
    expectProblem(await refresh(t, third.refresh_token), 401, 'unauthenticated');
    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'unauthenticated');
  });

  it('ends only that session when a token is reused after an hour', async () => {
    const ada = await t.user().create();
    const other = await ada.signInAgain();
    const { body: successor } = await refresh(t, ada.tokens.refresh_token);
    await spentAgo(60 * 60 + 1, ada.tokens);

    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'token_reused');
    expectProblem(await refresh(t, successor.refresh_token), 401, 'unauthenticated');
    expect((await other.get('/auth/me')).status).toBe(200);
    expect((await refresh(t, other.tokens.refresh_token)).status).toBe(200);
  });

  it('detects the reuse of a token many generations old', async () => {
    const ada = await t.user().create();
    let { refresh_token } = ada.tokens;
    for (let i = 0; i < 8; i++) ({ refresh_token } = (await refresh(t, refresh_token)).body);

    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'token_reused');
    expectProblem(await refresh(t, refresh_token), 401, 'unauthenticated');
  });

  it('stores the successor encrypted, and deletes it once used', async () => {
    const ada = await t.user().create();
    const where = { tokenHash: hashToken(ada.tokens.refresh_token) };
    const { body: second } = await refresh(t, ada.tokens.refresh_token);

    const sealed = (await t.manager.findOneByOrFail(RefreshToken, where)).sealedSuccessor!;
    expect(sealed).not.toContain(second.refresh_token);
    await refresh(t, second.refresh_token);
    expect((await t.manager.findOneByOrFail(RefreshToken, where)).sealedSuccessor).toBeNull();
  });

  it('refuses a token older than 7 days', async () => {
    const ada = await t.user().create();
    const where = { tokenHash: hashToken(ada.tokens.refresh_token) };
    const { expiresAt } = await t.manager.findOneByOrFail(RefreshToken, where);
    expect(Math.abs(expiresAt.getTime() - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000);

    await t.manager.update(RefreshToken, where, { expiresAt: ago(1) });
    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'token_expired');
  });

  it('extends the session to 7 days after its latest refresh', async () => {
    const ada = await t.user().create();
    const id = sessionIdOf(ada.tokens);
    await t.manager.update(Session, { id }, { expiresAt: ago(-60), lastUsedAt: ago(3600) });
    await refresh(t, ada.tokens.refresh_token);

    const session = await t.manager.findOneByOrFail(Session, { id });
    expect(Math.abs(session.expiresAt.getTime() - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000);
    expect(Date.now() - session.lastUsedAt.getTime()).toBeLessThan(60_000);
  });

  it('refuses a token that was never issued', async () => {
    expectProblem(await refresh(t, 'A'.repeat(43)), 401, 'unauthenticated');
    expectProblem(await t.http.post('/auth/refresh', {}), 422, 'validation_failed', ['refresh_token']);
    expectProblem(await refresh(t, 'a\0b'), 422, 'validation_failed', ['refresh_token']);
  });
});

describe('every route', () => {
  it.each([
    ['GET', '/auth/me'],
    ['GET', '/auth/sessions'],
    ['POST', '/auth/logout'],
    ['POST', '/auth/me/username'],
    ['POST', '/auth/me/email'],
    ['POST', '/auth/me/password'],
    ['POST', '/auth/me/delete'],
    ['POST', '/auth/sessions/1/revoke'],
    ['POST', '/auth/sessions/revoke-others'],
  ])('%s %s requires a token, with any body', async (method, path) => {
    expectProblem(
      await t.http.request(method, path, method === 'GET' ? undefined : {}),
      401,
      'unauthenticated',
    );
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
