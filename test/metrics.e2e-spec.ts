import { afterEach, describe, expect, it } from '@jest/globals';
import { Metrics } from '../src/metrics/metrics.js';
import { startTestApp, type TestApp } from './support/app.js';

const running: TestApp[] = [];
afterEach(() => Promise.all(running.splice(0).map((t) => t.stop())));

async function start(env: Record<string, string> = {}): Promise<TestApp> {
  const t = await startTestApp({ env });
  running.push(t);
  return t;
}

async function scrape(t: TestApp): Promise<string> {
  const { status, body, headers } = await t.http.get<string>('/metrics');
  expect(status).toBe(200);
  expect(headers.get('Content-Type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return body;
}

const requestsTo = (route: string, status: number) =>
  `http_request_duration_seconds_count{method="GET",route="${route}",status="${status}"}`;

describe('/metrics', () => {
  it('counts requests by the pattern of their route, so that no address makes a series of its own', async () => {
    const t = await start();
    const ada = await t.user().create();
    await ada.get('/conversations/1');
    await ada.get('/conversations/2');
    await t.http.get('/somewhere/a-stranger-typed');

    const text = await scrape(t);

    expect(text).toContain(`${requestsTo('/conversations/:id', 404)} 2`);
    expect(text).toContain(`${requestsTo('none', 404)} 1`);
    expect(text).not.toContain('a-stranger-typed');
    expect(text).toContain('process_resident_memory_bytes ');
  });

  it('measures requests in seconds', async () => {
    const t = await start();
    const since = performance.now();
    await t.http.get('/health/live');
    const text = await scrape(t);
    const passed = (performance.now() - since) / 1000;

    const sum =
      /^http_request_duration_seconds_sum{method="GET",route="\/health\/live",status="200"} (\S+)$/m;
    const measured = Number(sum.exec(text)?.[1]);
    expect(measured).toBeGreaterThan(0);
    expect(measured).toBeLessThan(passed);
  });

  it('has what the reply engine measures', async () => {
    const t = await start();
    const metrics = t.app.get(Metrics);
    metrics.repliesRunning.inc();
    metrics.repliesEnded.inc({ status: 'complete' });
    metrics.socketsConnected.inc({ transport: 'socketio' });

    const text = await scrape(t);

    expect(text).toContain('parley_replies_running 1');
    expect(text).toContain('parley_replies_ended_total{status="complete"} 1');
    expect(text).toContain('parley_sockets_connected{transport="socketio"} 1');
    expect(text).toContain('parley_upstream_attempts_total 0');
  });

  it('belongs to one app of the process', async () => {
    const [one, two] = [await start(), await start()];
    one.app.get(Metrics).repliesRunning.set(7);

    expect(await scrape(one)).toContain('parley_replies_running 7');
    expect(await scrape(two)).toContain('parley_replies_running 0');
  });
});

describe('/metrics in production', () => {
  const throughProxy = (t: TestApp, address: string) =>
    t.http.get('/metrics', { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': address });

  it('answers the inside, and is nowhere for the rest of the world', async () => {
    const t = await start({ NODE_ENV: 'production', TRUST_PROXY: 'loopback' });

    expect((await throughProxy(t, '10.1.2.3')).status).toBe(200);
    expect((await throughProxy(t, 'fd00::1')).status).toBe(200);
    for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '100.64.0.1', 'nonsense']) {
      const { status, body } = await throughProxy(t, address);
      expect([address, status, body.code]).toEqual([address, 404, 'not_found']);
    }
  });

  it('is not fooled by an address that the client itself put before its own', async () => {
    const t = await start({ NODE_ENV: 'production', TRUST_PROXY: 'loopback' });

    expect((await throughProxy(t, '10.1.2.3, 8.8.8.8')).status).toBe(404);
  });
});
