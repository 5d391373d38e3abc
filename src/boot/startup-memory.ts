import { executionAsyncResource } from 'node:async_hooks';
import { Session } from 'node:inspector/promises';

/** By then the first requests of whoever waited for the start have been answered. */
const DELAY_MS = 1_000;

const kept: { tick?: object } = {};

/**
 * Collects what starting has left behind, once. Left alone, V8 keeps the room that loading took (some 30 MB) until a
 * collection that an idle process never needs. It takes a tenth of a second.
 */
export function releaseStartupMemory(): void {
  keepTick();
  setTimeout(() => void collectGarbage(), DELAY_MS).unref();
}

/**
 * Keeps one of the objects of which process.nextTick makes one each time. A collection at which none is alive takes
 * their hidden class away, and from then on V8 (Node 20's) makes each of them by its slowest way: 5 % of a token.
 */
function keepTick(): void {
  process.nextTick(() => (kept.tick = executionAsyncResource()));
}

/** Node has no other way that needs neither a flag nor an open port. */
async function collectGarbage(): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}
