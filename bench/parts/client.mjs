/** Load generator: many streams of one kind, each verified to its last character. */
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
/** Number of sockets that connect at once. */
const BURST = 50;

let streams = [];
let ages = null;

answer({
  async connect({ kind, url, peers }) {
    streams = peers.map((peer) => new KINDS[kind](peer.url ?? url, peer, (time) => ages?.push(ageMs(time))));
    for (let i = 0; i < streams.length; i += BURST) {
      await Promise.all(streams.slice(i, i + BURST).map((stream) => stream.connect()));
    }
  },

  /** Requests the replies of a range of streams at once. */
  start({ from, to }) {
    for (const stream of streams.slice(from, to)) stream.start();
  },

  /** @returns time to the first text of each reply. @throws if one failed */
  async begun() {
    await Promise.all(streams.map((stream) => stream.begun));
    throwFailure();
    return streams.map((stream) => stream.firstTextMs);
  },

  throwFailure,

  tokens: () => streams.reduce((sum, stream) => sum + stream.tokens.tokens, 0),

  measureAges() {
    ages = [];
  },

  ages() {
    const result = { p50: percentile(ages, 50), p99: percentile(ages, 99), count: ages.length };
    ages = null;
    return result;
  },

  /** Resolves when all replies have completed. */
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

function throwFailure() {
  const failed = streams.find((stream) => stream.failure);
  if (failed) throw failed.failure;
}
