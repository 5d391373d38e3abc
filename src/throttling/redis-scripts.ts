import { defineScript } from 'redis';
import type { Consumption } from './limit-store.js';

/** KEYS: the budget. ARGV: its limit, its window in ms. @returns whether it was allowed, the hits used, ms to its end */
const TRY_CONSUME = `
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local allowed = used < tonumber(ARGV[1])
if allowed then used = redis.call('INCR', KEYS[1]) end
local left = redis.call('PTTL', KEYS[1])
if allowed and left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return { allowed and 1 or 0, used, left }`;

/** KEYS: the budget. It never goes below none, and never comes to be without an end. */
const REFUND = `
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end`;

/** Each runs as a whole (Redis runs one script at a time), so that nodes that share a budget cannot both have its last. */
export const scripts = {
  tryConsume: defineScript({
    SCRIPT: TRY_CONSUME,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key: string, limit: number, windowMs: number) {
      parser.pushKey(key);
      parser.push(String(limit), String(windowMs));
    },
    transformReply(reply: unknown): Consumption {
      const [allowed, used, leftMs] = reply as [number, number, number];
      return { allowed: allowed === 1, used, resetMs: Math.max(0, leftMs) };
    },
  }),
  refund: defineScript({
    SCRIPT: REFUND,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key: string) {
      parser.pushKey(key);
    },
    transformReply: () => undefined,
  }),
};
