import type { RequestHandler } from 'express';
import { isProbe } from '../probes.js';

/** Some 10 ms of work, by a process that has just started. */
const REQUESTS_A_TURN = 10;

/**
 * Begins a few requests in each turn of the event loop, and a prober's at once. Those of a burst that has come at once
 * would otherwise all be handled before anything else is looked at, and the process be taken for dead.
 */
export function yieldBetweenRequests(): RequestHandler {
  const waiting: (() => void)[] = [];
  let begun = 0;
  const turn = () => {
    const next = waiting.splice(0, REQUESTS_A_TURN);
    begun = next.length;
    if (begun > 0) setImmediate(turn);
    for (const begin of next) begin();
  };
  return (request, _response, next) => {
    if (isProbe(request.path)) return next();
    if (begun === REQUESTS_A_TURN) return void waiting.push(next);
    if (++begun === 1) setImmediate(turn);
    next();
  };
}
