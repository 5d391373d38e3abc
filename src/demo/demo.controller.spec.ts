import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Response as ExpressResponse } from 'express';
import type { DemoCompletion } from './demo-completion.js';
import { DemoModel } from './demo-model.js';
import { DEMO_DELAY_MS, DemoController } from './demo.controller.js';
import { DemoModule } from './demo.module.js';

let app: INestApplication | undefined;
let demo: DemoModel;

/** @param delayMs the delay between deltas; null for the controller's default */
async function start(delayMs: number | null = 0) {
  const builder = Test.createTestingModule({ imports: [DemoModule] });
  if (delayMs !== null) builder.overrideProvider(DEMO_DELAY_MS).useValue(delayMs);
  const module = await builder.compile();
  app = module.createNestApplication();
  demo = app.get(DemoModel);
  await app.listen(0, '127.0.0.1');
}

afterEach(() => app?.close());

function call(path: string, init: RequestInit & { key?: string } = {}) {
  const { port } = app!.getHttpServer().address() as AddressInfo;
  const headers = { Authorization: `Bearer ${init.key ?? demo.apiKey}`, 'Content-Type': 'application/json' };
  return fetch(demo.modelUrl(port, '127.0.0.1') + path, { headers, ...init });
}

function complete(body: object, init: RequestInit & { key?: string } = {}) {
  const request = {
    model: 'parley-demo',
    messages: [{ role: 'user', content: 'Tell me about tides' }],
    ...body,
  };
  return call('/chat/completions', { method: 'POST', body: JSON.stringify(request), ...init });
}

const jsonOf = async (response: Response) => (await response.json()) as ReturnType<DemoCompletion['whole']>;
const dataOf = (events: string) =>
  events
    .trimEnd()
    .split('\n\n')
    .map((event) => event.replace(/^data: /, ''));

describe('the demo model', () => {
  it('answers with a whole completion', async () => {
    await start();
    const response = await complete({});
    const body = await jsonOf(response);

    expect(response.status).toBe(200);
    expect(body).toMatchObject({ object: 'chat.completion', model: 'parley-demo' });
    expect(body.choices[0]).toMatchObject({ message: { role: 'assistant' }, finish_reason: 'stop' });
    expect(body.choices[0]!.message.content).toContain('**tides**');
  });

  it('streams the same text in deltas, then the usage, then [DONE]', async () => {
    await start();
    const whole = await jsonOf(await complete({}));
    const response = await complete({ stream: true, stream_options: { include_usage: true } });
    const data = dataOf(await response.text());
    const chunks = data.slice(0, -1).map((line) => JSON.parse(line));

    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(data.at(-1)).toBe('[DONE]');
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(
      whole.choices[0]!.message.content,
    );
    expect(chunks.at(-2).choices[0].finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  });

  it('streams at reading speed: 20 to 40 words a second', async () => {
    await start(null);
    const since = performance.now();
    await (await complete({ stream: true, max_tokens: 10 })).text();

    expect(performance.now() - since).toBeGreaterThan(10 * 25);
    expect(app!.get(DEMO_DELAY_MS)).toBeLessThanOrEqual(50);
  });

  it('sends usage only on request, and the same bytes each time', async () => {
    await start();
    const first = await (await complete({ stream: true })).text();

    expect(first).not.toContain('usage');
    expect(await (await complete({ stream: true })).text()).toBe(first);
  });

  it('stops at max_tokens with finish_reason length', async () => {
    await start();
    const { choices, usage } = await jsonOf(await complete({ max_tokens: 2 }));

    expect(choices[0]).toEqual({
      index: 0,
      message: { role: 'assistant', content: '## “Tell ' },
      finish_reason: 'length',
    });
    expect(usage.completion_tokens).toBe(2);
  });

  it('reads content given in parts', async () => {
    await start();
    const content = [{ type: 'text', text: 'Explain glaciers' }];
    const body = await jsonOf(await complete({ messages: [{ role: 'user', content }] }));

    expect(body.choices[0]!.message.content).toContain('**glaciers**');
  });

  it.each([
    ['Look at these', 'You sent 2 files: `image/png`, `notes.txt`. Your message is about **Look**.'],
    ['看看这些', '你发送了 2 个文件：`image/png`、`notes.txt`。'],
  ])('says which files it got with %j', async (text, sentence) => {
    await start();
    const content = [
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'text', text: 'File "notes.txt":\n\nSecret words' },
      { type: 'text', text },
    ];
    const { choices } = await jsonOf(await complete({ messages: [{ role: 'user', content }] }));

    expect(choices[0]!.message.content).toContain(sentence);
    expect(choices[0]!.message.content).toContain(`“${text}”`);
  });

  it('lists itself', async () => {
    await start();
    expect(await (await call('/models')).json()).toMatchObject({
      object: 'list',
      data: [{ id: 'parley-demo' }],
    });
  });

  it('refuses a wrong key, a missing one and a bad request as OpenAI does', async () => {
    await start();
    const refused = await complete({}, { key: 'demo-wrong' });
    expect(refused.status).toBe(401);
    expect(await refused.json()).toEqual({
      error: {
        message: 'Incorrect API key provided.',
        type: 'invalid_request_error',
        code: 'invalid_api_key',
      },
    });
    expect((await call('/models', { headers: {} })).status).toBe(401);

    for (const body of [{ messages: [] }, { messages: 'hi' }, { model: 1 }, { stream: 'yes' }]) {
      const bad = await complete(body);
      expect(bad.status).toBe(400);
      expect(await bad.json()).toMatchObject({
        error: { type: 'invalid_request_error', code: 'invalid_request' },
      });
    }
    expect((await complete({ model: 'other' })).status).toBe(404);
  });

  it('stops at once when the client disconnects', async () => {
    const controller = new DemoController(new DemoModel(), 60_000);
    const request = { model: 'parley-demo', messages: [{ role: 'user', content: 'Hi' }], stream: true };
    let work: Promise<void> | undefined;
    const server = createServer(
      (_, response) => void (work = controller.complete(request, response as ExpressResponse)),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');

    const left = new AbortController();
    const { port } = server.address() as AddressInfo;
    const { body } = await fetch(`http://127.0.0.1:${port}`, { signal: left.signal });
    await body!.getReader().read();
    left.abort();

    await work;
    await new Promise((closed) => server.close(closed));
  });
});

describe('DemoModel', () => {
  it('returns a reachable URL for any listening address', () => {
    const model = new DemoModel();
    expect(model.modelUrl(3000, '127.0.0.1')).toBe('http://127.0.0.1:3000/demo/v1');
    expect(model.modelUrl(3000, '0.0.0.0')).toBe('http://127.0.0.1:3000/demo/v1');
    expect(model.modelUrl(80, '::')).toBe('http://[::1]:80/demo/v1');
    expect(model.modelUrl(80, 'localhost')).toBe('http://localhost:80/demo/v1');
  });

  it('has a key of its own in each process', () => {
    expect(new DemoModel().apiKey).not.toBe(new DemoModel().apiKey);
    expect(new DemoModel().accepts(new DemoModel().apiKey)).toBe(false);
  });
});
