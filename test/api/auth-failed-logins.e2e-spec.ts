/** Limits on failed logins. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newAccount } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gapsInAudit } from '../support/app/audit.js';
import { expectProblem } from '../support/clients/problems.js';

const logLines: string[] = [];

describe('failed logins', () => {
  let limited: TestApp;

  beforeAll(async () => {
    const env = { RATE_LIMIT_SCALE: '1', TRUST_PROXY: 'loopback' };
    limited = await startTestApp({ env, log: { write: (line) => logLines.push(line) } });
  });
  afterAll(() => limited.stop());

  let addresses = 0;
  /** An address that nobody has used yet. */
  const anywhere = () => `198.51.${100 + Math.floor(++addresses / 250)}.${addresses % 250}`;
  const from = (address: string) => ({ 'X-Forwarded-For': address });

  async function signUp(address: string) {
    const user = newAccount();
    await limited.http.post('/auth/register', user, from(address));
    return user;
  }

  const tryFrom = (address: string, { email }: { email: string }, password: string) =>
    limited.http.post('/auth/login', { email, password }, from(address));

  /** Guesses, each from somewhere else. */
  async function spray(user: { email: string }, times: number): Promise<number[]> {
    const answers = await Promise.all(
      Array.from({ length: times }, () => tryFrom(anywhere(), user, 'not the password')),
    );
    return answers.map(({ status }) => status).sort();
  }

  it('are limited to 10 per account, from any number of addresses, concurrent ones included', async () => {
    const ada = await signUp(anywhere());
    logLines.length = 0;

    expect(await spray(ada, 30)).toEqual([...Array(10).fill(401), ...Array(20).fill(429)]);
    const audit = logLines.map((line) => JSON.parse(line)).filter(({ context }) => context === 'Audit');
    expect(audit.filter(({ event }) => event === 'login.failed')).toHaveLength(10);
    expect(audit.filter(({ event, address }) => event === 'guessing.limited' && address)).toHaveLength(20);
    const refused = await tryFrom(anywhere(), ada, ada.password);
    expectProblem(refused, 429, 'rate_limited');
    const seconds = Number(refused.headers.get('Retry-After'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(15 * 60);
  });

  it('are counted for an account that does not exist too', async () => {
    expect(await spray(newAccount(), 12)).toEqual([...Array(10).fill(401), 429, 429]);
  });

  it('are counted together for all spellings of an email address', async () => {
    const plain = { ...newAccount(), email: 'count@bücher.example' };
    await limited.http.post('/auth/register', plain, from(anywhere()));

    expect(await spray({ email: 'count@xn--bcher-kva.example' }, 6)).toEqual(Array(6).fill(401));
    expect(await spray({ email: 'co\u200bunt@BÜCHER.example' }, 6)).toEqual([
      ...Array(4).fill(401),
      429,
      429,
    ]);
    expectProblem(await tryFrom(anywhere(), plain, plain.password), 429, 'rate_limited');
  });

  it('of others do not lock the owner out at a known address', async () => {
    const [ada, home] = [await signUp(anywhere()), anywhere()];
    const { body } = await tryFrom(home, ada, ada.password);
    const Authorization = `Bearer ${body.access_token}`;
    await limited.http.post('/auth/logout', undefined, { ...from(home), Authorization });
    await spray(ada, 12);

    expect((await tryFrom(home, ada, ada.password)).status).toBe(200);
  });

  it('of others do not lock the owner out of a known IPv6 /64', async () => {
    const ada = await signUp(anywhere());
    const subnet = `2001:db8:0:${(++addresses).toString(16)}`;
    expect((await tryFrom(`${subnet}::1`, ada, ada.password)).status).toBe(200);
    await spray(ada, 12);

    expect((await tryFrom(`${subnet}:abcd::2`, ada, ada.password)).status).toBe(200);
    expect((await tryFrom('2001:db8:1::1', ada, ada.password)).status).toBe(429);
  });

  it('from a known address have their own, limited budget', async () => {
    const [ada, home] = [await signUp(anywhere()), anywhere()];
    await tryFrom(home, ada, ada.password);
    const answers = [];
    for (let i = 0; i < 12; i++) answers.push(await tryFrom(home, ada, 'not the password'));

    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(401), 429, 429]);
    expect((await tryFrom(anywhere(), ada, ada.password)).status).toBe(200);
  });

  it('alone spend the budget; successful logins do not', async () => {
    const ada = await signUp(anywhere());
    for (let i = 0; i < 12; i++) expect((await tryFrom(anywhere(), ada, ada.password)).status).toBe(200);
  });

  it('within a stolen session are limited, and do not spend the owner’s budget', async () => {
    const [ada, home] = [await signUp(anywhere()), anywhere()];
    const { body } = await tryFrom(home, ada, ada.password);
    const Authorization = `Bearer ${body.access_token}`;
    const guess = (current_password: string) =>
      limited.http.post('/auth/me/delete', { current_password }, { ...from(anywhere()), Authorization });
    const answers = [];
    for (let i = 0; i < 12; i++) answers.push(await guess('not the password'));

    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(403), 429, 429]);
    expectProblem(await guess(ada.password), 429, 'rate_limited');
    expect((await tryFrom(anywhere(), ada, ada.password)).status).toBe(200);
  });

  it('and calls with credentials are limited per address', async () => {
    const address = anywhere();
    const answers = [];
    for (let i = 0; i < 21; i++) {
      const body = { refresh_token: 'A'.repeat(43) };
      answers.push(await limited.http.post('/auth/refresh', body, from(address)));
    }

    expect(answers.slice(0, 20).map(({ status }) => status)).toEqual(Array(20).fill(401));
    expectProblem(answers[20]!, 429, 'rate_limited');
    expectProblem(await tryFrom(address, newAccount(), 'any password'), 429, 'rate_limited');
  });

  it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(limited)).toEqual([]));
});
