/** AiService: aborts, addresses, model lists and config tests. */
import { describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import { EgressGuard } from '../../src/ai/egress/egress-guard.js';
import { type ResolveHost, resolveHost } from '../../src/ai/egress/resolve-host.js';
import { Settings } from '../../src/env/settings.js';
import { within } from '../support/clients/event-log.js';
import { raw, stall } from '../support/provider/provider.js';
import { HELLO } from '../support/provider/ai-reader.js';
import { KEY, UNREACHABLE, useAi } from '../support/provider/ai-setup.js';

const h = useAi();

describe('aborting a reply', () => {
  it('throws the signal’s reason and closes the connection', async () => {
    const stopped = new AbortController();
    const reason = new Error('stopped');
    h.played.willStream('Hel', stall());
    const outcome = await h.read(h.provider(), h.ai, stopped.signal, () => stopped.abort(reason));

    expect(outcome).toMatchObject({ content: 'Hel', error: reason });
    await h.played.chats[0]?.closed;
    expect(h.played.chats[0]?.closedAt).toBeDefined();
  });

  it('sends no request after the signal was aborted', async () => {
    const { error } = await h.read(h.provider(), h.ai, AbortSignal.abort(new Error('early')));

    expect(error?.message).toBe('early');
    expect(h.played.requests).toEqual([]);
  });

  it('ends the wait before a retry', async () => {
    const stopped = new AbortController();
    h.played.willAnswer(429, '', { 'Retry-After': '9' });
    const outcome = h.read(h.provider(), h.ai, stopped.signal);
    await h.played.waitForRequests(1);
    await h.played.chats[0]?.closed;
    stopped.abort(new Error('stopped'));

    expect((await outcome).error?.message).toBe('stopped');
    expect(h.played.chats).toHaveLength(1);
  });

  it('closes the connection when the loop is left early', async () => {
    h.played.willStream('Hel', stall());
    for await (const { content } of h.ai.stream(h.provider(), HELLO, new AbortController().signal)) {
      expect(content).toBe('Hel');
      break;
    }

    await h.played.chats[0]?.closed;
    expect(h.played.chats[0]?.closedAt).toBeDefined();
  });

  it('closes the connection when the provider reports an error after text, and leaves it open', async () => {
    h.ai = h.makeAi({ upstreamIdleTimeoutSeconds: 60 });
    h.played.willStream('Hel', raw('data: {"error":{"message":"Overloaded"}}\n\n'), stall());
    expect(await h.read()).toMatchObject({ content: 'Hel', error: { code: 'upstream_error' } });

    await within(h.played.chats[0]!.closed, 'It was not closed', 10_000);
  });

  it('closes the connection when the iterator is closed while it waits', async () => {
    h.ai = h.makeAi({ upstreamIdleTimeoutSeconds: 60 });
    h.played.willStream('Hel', stall());
    const batches = h.ai.stream(h.provider(), HELLO, new AbortController().signal)[Symbol.asyncIterator]();
    await batches.next();
    const pending = batches.next();
    await batches.return?.();

    expect(await pending).toEqual({ done: true, value: undefined });
    await h.played.chats[0]?.closed;
    expect(h.played.chats[0]?.closedAt).toBeDefined();
  });
});

describe('a provider’s address', () => {
  const resolveTo =
    (...addresses: string[]): ResolveHost =>
    () =>
      Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

  it.each([
    'http://127.0.0.1:PORT/v1',
    'http://127.1:PORT/v1',
    'http://2130706433:PORT/v1',
    'http://0x7f.1:PORT/v1',
    'http://0177.0.0.1:PORT/v1',
    'http://127.0.0.1.:PORT/v1',
    'http://１２７.０.０.１:PORT/v1',
    'http://[::ffff:7f00:1]:PORT/v1',
    'http://[::1]:PORT/v1',
    'http://0:PORT/v1',
    'http://localhost:PORT/v1',
    'http://localhost.:PORT/v1',
    'http://inside.test:PORT/v1',
    'http://mixed.test:PORT/v1',
    'http://user:pass@inside.test:PORT/v1',
    'file:///etc/passwd',
    'nonsense',
  ])('%s is refused', async (template) => {
    const resolve: ResolveHost = (hostname) =>
      resolveTo(...(hostname === 'mixed.test' ? ['8.8.8.8', '127.0.0.1'] : ['127.0.0.1']))(hostname, false);
    h.ai = h.makeAi({ loopbackModelsAllowed: false }, resolve);

    const { error } = await h.read(h.provider({ modelUrl: template.replace('PORT', String(h.played.port)) }));

    expect(error).toMatchObject({ code: 'upstream_unreachable', detail: UNREACHABLE });
    expect(h.played.connections).toBe(0);
  });

  it('is not resolved in production for a stored http URL', async () => {
    const lookedUp: string[] = [];
    const resolve: ResolveHost = (hostname) => {
      lookedUp.push(hostname);
      return resolveTo('127.0.0.1')(hostname, false);
    };
    h.ai = h.makeAi({ production: true, loopbackModelsAllowed: true }, resolve);
    const stored = h.provider({ modelUrl: `http://provider.test:${h.played.port}/v1` });

    expect((await h.read(stored)).error).toMatchObject({ code: 'upstream_unreachable' });
    await expect(h.ai.listModels(stored)).rejects.toMatchObject({ code: 'upstream_unreachable' });
    expect([lookedUp, h.played.connections]).toEqual([[], 0]);
  });

  it('is checked at each connection', async () => {
    let calls = 0;
    h.ai = h.makeAi({ loopbackModelsAllowed: false, upstreamFirstByteTimeoutSeconds: 0.05 }, () =>
      // 203.0.113.0/24 is reserved for documentation and refused too, so no connection leaves this machine.
      resolveTo(calls++ % 2 ? '127.0.0.1' : '203.0.113.1')('', false),
    );

    for (let i = 0; i < 20; i++) {
      expect(
        (await h.read(h.provider({ modelUrl: `http://rebinding.test:${h.played.port}/v1` }))).error,
      ).toMatchObject({
        code: 'upstream_unreachable',
      });
    }
    expect(calls).toBe(20);
    expect(h.played.connections).toBe(0);
  });

  it('can be allowed by host, or by host and port', async () => {
    const url = `http://inside.test:${h.played.port}/v1`;
    const byHost = h.makeAi(
      { loopbackModelsAllowed: false, modelUrlAllowedHosts: ['inside.test'] },
      resolveTo('127.0.0.1'),
    );
    const hostAndPort = [`inside.test:${h.played.port}`];
    const byPort = h.makeAi(
      { loopbackModelsAllowed: false, modelUrlAllowedHosts: hostAndPort },
      resolveTo('127.0.0.1'),
    );
    const other = h.makeAi(
      { loopbackModelsAllowed: false, modelUrlAllowedHosts: ['inside.test:1'] },
      resolveTo('127.0.0.1'),
    );

    expect((await h.read(h.provider({ modelUrl: url }), byHost)).error).toBeUndefined();
    expect((await h.read(h.provider({ modelUrl: url }), byPort)).error).toBeUndefined();
    expect((await h.read(h.provider({ modelUrl: url }), other)).error).toMatchObject({
      code: 'upstream_unreachable',
    });
  });

  it('of the operator’s demo model is allowed, for that model only', async () => {
    h.ai = h.makeAi({ loopbackModelsAllowed: false });

    expect((await h.read(h.provider({ trusted: true }))).error).toBeUndefined();
    expect((await h.read()).error).toMatchObject({ code: 'upstream_unreachable' });
    expect(h.played.requests).toHaveLength(1);
  });
});

it.each(['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]'])(
  'the literal address %s is refused on connecting',
  async (host) => {
    const settings = {
      modelUrlAllowedHosts: [] as string[],
      loopbackModelsAllowed: false,
    } as unknown as Settings;
    const egress = new EgressGuard(settings, resolveHost);
    h.guards.push(egress);
    const url = `http://${host}:${h.played.port}/v1/models`;

    await expect(request(url, { dispatcher: await egress.dispatcher() })).rejects.toMatchObject({
      code: 'EREFUSED',
    });
    expect(h.played.connections).toBe(0);
  },
);

describe('listing models', () => {
  it('returns the provider’s model ids', async () => {
    h.played.models = ['b', 'a', 'b'];

    expect(await h.ai.listModels(h.provider())).toEqual(['b', 'a']);
    expect(h.played.requests[0]).toMatchObject({ method: 'GET', path: '/v1/models' });
    expect(h.played.requests[0]?.headers).not.toHaveProperty('content-type');
  });

  it('throws a ProviderError', async () => {
    await expect(h.ai.listModels(h.provider({ modelUrl: `${h.played.url}/nowhere` }))).rejects.toMatchObject({
      code: 'upstream_error',
      detail: 'Unknown path /v1/nowhere/models',
    });
  });
});

describe('testing a configuration', () => {
  it('requests a real completion, and aborts it after the first delta', async () => {
    h.played.willStream('Hel', stall());

    expect(await h.ai.test(h.provider())).toEqual({
      ok: true,
      latencyMs: expect.any(Number),
      model: 'test-model',
    });
    await h.played.chats[0]?.closed;
    expect(h.played.chats[0]?.closedAt).toBeDefined();
  });

  it('reports the error of the first try', async () => {
    h.played.willAnswer(500, { error: { message: `Broken for ${KEY}` } });

    expect(await h.ai.test(h.provider())).toMatchObject({
      ok: false,
      error: { code: 'upstream_error', detail: 'Broken for ***' },
    });
    expect(h.played.chats).toHaveLength(1);
  });
});
