import { defineScript } from 'redis';
import type { Consumption } from './limit-store.js';

/** KEYS: the budget. ARGV: limit, window in ms. @returns allowed (0 or 1), hits used, ms until the window ends */
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

/** KEYS: the budget. Never goes below 0 and never creates a key, which would have no expiry. */
const REFUND = `
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end`;

/** Redis runs scripts atomically, so that two nodes cannot both consume the last hit of a budget. */
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
