import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';

describe('the playground', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp();
  });
  afterAll(() => t.stop());

  it('is served under a policy that allows its own files only', async () => {
    const { status, headers } = await t.http.get('/');
    const policy = headers.get('Content-Security-Policy')!;

    expect(status).toBe(200);
    expect(headers.get('Content-Type')).toMatch(/^text\/html/);
    expect(policy).toMatch(/^default-src 'self';/);
    expect(policy).not.toMatch(/unsafe|https?:|data:|\*/);
  });

  it.each([
    ['app.js', 'text/javascript'],
    ['app.css', 'text/css'],
    ['favicon.svg', 'image/svg+xml'],
  ])('has %s, which browsers keep and revalidate', async (name, type) => {
    const { status, headers } = await t.http.get(`/${name}`);

    expect(status).toBe(200);
    expect(headers.get('Content-Type')).toContain(type);
    expect(headers.get('Cache-Control')).toBe('no-cache');
    expect(headers.get('ETag')).toMatch(/^(W\/)?"/);
  });

  it('names no file that is not served', async () => {
    const { body: html } = await t.http.get<string>('/');
    const names = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name);

    expect(names).toEqual(['favicon.svg', 'app.css', 'app.js']);
  });

  it('tells the page whether the server mails links that verify addresses', async () => {
    expect((await t.http.get('/playground.json')).body).toEqual({ verifies_email: false });
  });

  it('answers other methods with 405', async () => {
    expect((await t.http.post('/app.js')).status).toBe(405);
  });
});
