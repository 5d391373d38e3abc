/**
 * An OpenAI-compatible provider that streams from prepared buffers, one event a token, each an HTTP chunk of its own.
 * The model's name says how: `paced-50` sends 50 tokens a second, `paced-50-after-100` begins after 100 ms, and
 * `flood` sends as fast as it is read. A reply goes on until the bench says `finish`.
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

const streams = new Set();
let requests = 0;

class PacedStream {
  tokens = 0;

  constructor(response, perSecond, afterMs) {
    this.response = response;
    this.everyMs = 1000 / perSecond;
    this.dueAt = performance.now() + afterMs;
  }

  tick(now) {
    for (; this.dueAt <= now; this.dueAt += this.everyMs) {
      // A stream keeps its own time after its first token, so that streams that began together do not beat together.
      if (this.tokens === 0) this.dueAt += Math.random() * this.everyMs;
      const event = Buffer.from(EVENTS[this.tokens++ % COUNT_CYCLE]);
      event.write(sendTime(), TIME_AT, 'latin1');
      this.response.write(event);
    }
  }
}

class FloodStream {
  tokens = 0;
  full = false;

  constructor(response) {
    this.response = response;
    response.on('drain', () => (this.full = false));
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
  const [, perSecond, afterMs = 0] = /^paced-(\d+)(?:-after-(\d+))?$/.exec(model).map(Number);
  return new PacedStream(response, perSecond, afterMs || 0);
}

const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  requests++;
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.flushHeaders();
  const stream = streamFor(JSON.parse(body).model, response);
  streams.add(stream);
  response.on('close', () => streams.delete(stream));
});
server.keepAliveTimeout = 60_000;

setInterval(() => {
  const now = performance.now();
  for (const stream of streams) stream.tick(now);
}, 1);

answer({
  finish() {
    for (const { response } of streams) response.end(END);
    streams.clear();
  },
  requests: () => requests,
});

server.listen(0, '127.0.0.1', () => ready({ url: `http://127.0.0.1:${server.address().port}/v1` }));
