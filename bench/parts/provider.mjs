/**
 * OpenAI-compatible provider that streams prepared buffers, one event and one HTTP chunk per token. The model's name sets
 * the pace: `paced-50` sends 50 tokens a second, `flood` as fast as it is read, both after the bench's `go`;
 * `paced-50-after-100` starts by itself after 100 ms. Replies end with the bench's `finish`.
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
/** Events per write while flooding, each its own HTTP chunk. */
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

  /** Paces each stream separately, so that simultaneous ones do not send in step. */
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
 * Sleeps between checks of streams and sockets instead of using timers, whose resolution of a millisecond would send the
 * tokens of many streams together.
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
