/** Registration modes and external identities, on servers of their own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { check } from './axe.mjs';
import { button, openSettings, PASSWORD, signUp, until, useBrowser } from './support.mjs';

const browser = useBrowser();
const stops = [];
after(async () => {
  for (const stop of stops) await stop();
});

async function listen(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: server.address().port };
}

/** @returns the URL of a built server with these settings */
async function startServer(env) {
  const folder = await mkdtemp(join(tmpdir(), 'parley-browser-'));
  const { server, port } = await listen();
  await new Promise((resolve) => server.close(resolve));
  const main = new URL('../../dist/server/main.js', import.meta.url).pathname;
  const settings = { PATH: process.env.PATH, NODE_ENV: 'development', DATA_DIR: folder, PORT: String(port) };
  const child = spawn(process.execPath, [main], { env: { ...settings, ...env }, stdio: 'ignore' });
  stops.push(async () => {
    const exited = once(child, 'exit');
    child.kill();
    await exited;
    await rm(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${port}/`;
  const isUp = () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(isUp, 'the server is up');
  return url;
}

/** An OpenID provider's discovery and keys. */
async function startIssuer() {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one' }];
  const { server, port } = await listen((request, response) =>
    response.end(JSON.stringify(request.url === '/keys' ? { keys } : { issuer, jwks_uri: `${issuer}/keys` })),
  );
  stops.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  const issuer = `http://127.0.0.1:${port}`;
  const idToken = (subject) =>
    new SignJWT({ sub: subject, aud: 'app', iss: issuer })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
  return { issuer, idToken };
}

async function tryToSignUp(page) {
  await page.getByLabel('Username').fill('ada');
  await page.getByLabel('Email').fill('ada@example.org');
  await page.getByLabel('Password').fill(PASSWORD);
  await button(page, 'Sign up').first().click();
}

describe('registration', () => {
  it('asks for the invitation where one is required', async () => {
    const page = await browser.open({ url: await startServer({ REGISTRATION: 'invite' }) });
    assert.equal(await page.getByLabel('Invitation code').count(), 0);
    await tryToSignUp(page);

    await page.getByRole('alert').filter({ hasText: 'You need an invitation' }).waitFor();
    await page.getByLabel('Invitation code').fill('wrong');
    await check(page, 'sign-up with an invitation');
    await button(page, 'Sign up').first().click();
    const invitation = page.getByLabel('Invitation code');
    await until(async () => (await invitation.getAttribute('aria-invalid')) === 'true', 'the error');
  });

  it('says that it is closed', async () => {
    const page = await browser.open({ url: await startServer({ REGISTRATION: 'closed' }) });
    await tryToSignUp(page);

    await page.getByRole('alert').filter({ hasText: 'not open for registration' }).waitFor();
  });
});

it('linked accounts are listed where there are any, and unlinked', async () => {
  const { issuer, idToken } = await startIssuer();
  const OIDC_PROVIDERS = JSON.stringify([{ issuer, audience: 'app' }]);
  const url = await startServer({ OIDC_PROVIDERS, EMAIL_VERIFICATION: 'off' });
  const page = await browser.open({ url });
  const { email } = await signUp(page);
  const heading = page.getByRole('heading', { name: 'Linked accounts' });
  await button(await openSettings(page, 'Account'), 'Sign out').waitFor();
  assert.equal(await heading.count(), 0);
  await page.waitForLoadState('networkidle');
  assert.equal(await page.getByText('not verified').count(), 0);
  const post = async (path, body, token) => {
    const headers = {
      'Content-Type': 'application/json',
      ...(token && { Authorization: `Bearer ${token}` }),
    };
    return (await fetch(new URL(path, url), { method: 'POST', headers, body: JSON.stringify(body) })).json();
  };
  const { access_token } = await post('auth/login', { email, password: PASSWORD });
  await post('auth/identities', { id_token: await idToken('ada-1') }, access_token);

  await page.reload();
  const settings = await openSettings(page, 'Account');
  await heading.waitFor();
  await check(page, 'linked accounts');
  await button(settings, `Unlink ${new URL(issuer).host} ada-1`).click();
  await heading.waitFor({ state: 'detached' });
});
