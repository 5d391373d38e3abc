import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { PrefixProxy } from '../support/infrastructure/prefix-proxy.js';
import { SocketClient } from '../support/clients/socket.js';

const REFERENCE = /\b(?:href|src)=['"]([^'"#$]+)['"]|\b(?:from|import) ['"]([^'"]+)['"]/g;

describe.each([
  ['says so', { 'X-Forwarded-Prefix': '/chat-api' }],
  ['does not say so', {}],
])('behind a proxy that strips a path prefix and %s', (_what, headers) => {
  let t: TestApp;
  let proxy: PrefixProxy;
  beforeAll(async () => {
    t = await startTestApp({ env: { TRUST_PROXY: 'loopback' } });
    proxy = await PrefixProxy.start('/chat-api', () => t.url, headers);
  });
  afterAll(async () => {
    proxy?.stop();
    await t?.stop();
  });

  /** Each file of ours that a page leads to, with its status. */
  async function crawl(start: string): Promise<Map<string, number>> {
    const seen = new Map<string, number>();
    const queue = [start];
    for (let url = queue.pop(); url !== undefined; url = queue.pop()) {
      const response = await fetch(url);
      seen.set(url, response.status);
      const text = await response.text();
      const isPage = /html|javascript/.test(response.headers.get('Content-Type') ?? '');
      // Bundles name no files of ours.
      if (!isPage || text.length > 100_000) continue;
      const found = [...text.matchAll(REFERENCE)].map(([, reference, module]) => reference ?? module!);
      for (const each of found.map((reference) => new URL(reference, response.url).href))
        if (!seen.has(each) && !queue.includes(each)) queue.push(each);
    }
    return seen;
  }

  it.each([
    ['', 'app.js', 'app.css', 'favicon.svg'],
    ['docs', 'docs/swagger-ui-init.js', 'docs/swagger-ui.css'],
    ['docs/', 'docs/swagger-ui-init.js', 'docs/swagger-ui.css'],
  ])('all files of the page /%s load under the prefix', async (page, ...files) => {
    const seen = await crawl(proxy.url + page);

    for (const file of files) expect([...seen.keys()]).toContain(proxy.url + file);
    expect([...seen].filter(([url, status]) => status !== 200 || !url.startsWith(proxy.url))).toEqual([]);
  });

  it.each(['openapi.json', 'docs'])('the OpenAPI server URL resolves from /%s', async (page) => {
    const { servers } = (await (await fetch(`${proxy.url}openapi.json`)).json()) as {
      servers: { url: string }[];
    };

    const base = new URL(servers[0]!.url, proxy.url + page).href.replace(/\/$/, '');

    expect(base).toBe(proxy.url.slice(0, -1));
    expect((await fetch(`${base}/health/live`)).status).toBe(200);
  });

  it.each(['websocket', 'polling'])('Socket.IO connects by %s with the prefix', async (transport) => {
    const { tokens } = await t.user().create();
    const { origin, pathname } = new URL(proxy.url);

    const socket = new SocketClient(origin, tokens.access_token, {
      path: `${pathname}socket.io/`,
      transports: [transport],
    });

    await socket.connected;
    await socket.close();
  });
});
