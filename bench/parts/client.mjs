/** The load: many streams of one kind, each of which is read and checked to its last character. */
import { setTimeout as delay } from 'node:timers/promises';
import { ParleySseStream, PipeStream } from '../client/http.mjs';
import {
  BareSocketIoStream,
  OtherNodeStream,
  ParleySocketIoStream,
  PlainSocketIoStream,
} from '../client/socket-io.mjs';
import { ParleyWebSocketStream } from '../client/websocket.mjs';
import { load } from '../client/requests.mjs';
import { answer, ready } from '../support/part.mjs';
import { percentile } from '../support/stats.mjs';
import { ageMs } from '../support/tokens.mjs';

const KINDS = {
  pipe: PipeStream,
  plain: PlainSocketIoStream,
  bare: BareSocketIoStream,
  'socket.io': ParleySocketIoStream,
  'other node': OtherNodeStream,
  sse: ParleySseStream,
  websocket: ParleyWebSocketStream,
};
/** Sockets that connect at once. */
const BURST = 50;
const TICK_MS = 20;

let streams = [];
let ages = null;

answer({
  async connect({ kind, url, peers }) {
    streams = peers.map((peer) => new KINDS[kind](url, peer, (time) => ages?.push(ageMs(time))));
    for (let i = 0; i < streams.length; i += BURST) {
      await Promise.all(streams.slice(i, i + BURST).map((stream) => stream.connect()));
    }
  },

  /** Asks for all replies, so many a tick; resolves, with how long each took, when all have begun. */
  async start({ burst = 10 } = {}) {
    for (let i = 0; i < streams.length; i += burst) {
      for (const stream of streams.slice(i, i + burst)) stream.start();
      await delay(TICK_MS);
    }
    await Promise.all(streams.map((stream) => stream.begun));
    return streams.map((stream) => stream.firstTextMs);
  },

  tokens: () => streams.reduce((sum, stream) => sum + stream.tokens.tokens, 0),

  measureAges() {
    ages = [];
  },

  ages() {
    const result = { p50: percentile(ages, 50), p99: percentile(ages, 99), count: ages.length };
    ages = null;
    return result;
  },

  /** Resolves once all have ended, as they should. */
  async ended() {
    await Promise.all(streams.map((stream) => stream.ended));
  },

  close() {
    for (const stream of streams) stream.close();
    streams = [];
  },

  requests: load,
});
ready();
