import type { RequestHandler } from 'express';
import { isProbe } from '../probes.js';

/** Few enough for a short tick, also before V8 has optimized the code. */
const REQUESTS_PER_TICK = 10;

/**
 * Starts a few requests per tick of the event loop, so that a burst does not block health probes, timers and sockets.
 * Probes are not queued.
 */
export function yieldBetweenRequests(): RequestHandler {
  const waiting: (() => void)[] = [];
  let started = 0;
  const startWaiting = () => {
    const next = waiting.splice(0, REQUESTS_PER_TICK);
    started = next.length;
    if (started > 0) setImmediate(startWaiting);
    for (const start of next) start();
  };
  return (request, _response, next) => {
    if (isProbe(request.path)) return next();
    if (started === REQUESTS_PER_TICK) return void waiting.push(next);
    if (++started === 1) setImmediate(startWaiting);
    next();
  };
}
