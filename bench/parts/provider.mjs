/**
 * An OpenAI-compatible provider that streams from prepared buffers, one event a token, each an HTTP chunk of its own.
 * The model's name says how: `paced-50` sends 50 tokens a second and `flood` as fast as it is read, both from when the
 * bench says `go`; `paced-50-after-100` begins by itself, after 100 ms. A reply goes on until the bench says `finish`.
 */
import { createServer } from 'node:http';
import { answer, ready } from '../support/part.mjs';
import { COUNT_CYCLE, countOf, sendTime } from '../support/tokens.mjs';

const HEAD =
  'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench","choices":[{"index":0,"delta":{"content":"';
const TAIL = '"},"finish_reason":null}]}\n\n';
const TIME_AT = HEAD.length + 2;
const EVENTS = Array.from({ length: COUNT_CYCLE }, (_, index) =>
  Buffer.from(`${HEAD}${countOf(index)}000000${TAIL}`),
);
const END = [
  'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
  'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}\n\n',
  'data: [DONE]\n\n',
].join('');
/** Events a write while flooding, each an HTTP chunk all the same. */
const BATCH = 64;

const LOOK_MS = 0.1;
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));

const streams = new Set();
let requests = 0;

class PacedStream {
  tokens = 0;

  constructor(response, perSecond, afterMs) {
    this.response = response;
    this.everyMs = 1000 / perSecond;
    this.dueAt = performance.now() + afterMs;
  }

  /** Streams keep their own time, so that those which began together do not beat together. */
  go() {
    this.dueAt = performance.now() + Math.random() * this.everyMs;
  }

  tick(now) {
    for (; this.dueAt <= now; this.dueAt += this.everyMs) {
      const event = Buffer.from(EVENTS[this.tokens++ % COUNT_CYCLE]);
      event.write(sendTime(), TIME_AT, 'latin1');
      this.response.write(event);
    }
  }
}

class FloodStream {
  tokens = 0;
  full = true;

  constructor(response) {
    this.response = response;
    response.on('drain', () => (this.full = false));
  }

  go() {
    this.full = false;
  }

  tick() {
    while (!this.full) {
      this.response.cork();
      for (let i = 0; i < BATCH; i++) this.full = !this.response.write(EVENTS[this.tokens++ % COUNT_CYCLE]);
      this.response.uncork();
    }
  }
}

function streamFor(model, response) {
  if (model === 'flood') return new FloodStream(response);
  const [, perSecond, afterMs = Infinity] = /^paced-(\d+)(?:-after-(\d+))?$/.exec(model);
  return new PacedStream(response, Number(perSecond), Number(afterMs));
}

const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  requests++;
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.flushHeaders();
  const stream = streamFor(JSON.parse(body).model, response);
  if (streams.size === 0) setImmediate(run);
  streams.add(stream);
  response.on('close', () => streams.delete(stream));
});
server.keepAliveTimeout = 60_000;

/**
 * Node's timers know no less than a millisecond, and would send the tokens of many streams together, which real ones do
 * not do: between looks at the streams, and at the sockets, this process sleeps instead.
 */
function run() {
  const now = performance.now();
  for (const stream of streams) stream.tick(now);
  Atomics.wait(SLEEPER, 0, 0, LOOK_MS);
  if (streams.size > 0) setImmediate(run);
}

answer({
  streams: () => streams.size,
  go() {
    for (const stream of streams) stream.go();
  },
  finish() {
    for (const { response } of streams) response.end(END);
    streams.clear();
  },
  requests: () => requests,
});

server.listen(0, '127.0.0.1', () => ready({ url: `http://127.0.0.1:${server.address().port}/v1` }));
