import { defineScript } from 'redis';
import type { Take } from './limit-store.js';

/** KEYS: the budget. ARGV: its limit, its window in ms. @returns whether it was taken, the hits used, ms to its end */
const TAKE = `
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local taken = used < tonumber(ARGV[1])
if taken then used = redis.call('INCR', KEYS[1]) end
local left = redis.call('PTTL', KEYS[1])
if taken and left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return { taken and 1 or 0, used, left }`;

/** KEYS: the budget. It never goes below none, and never comes to be without an end. */
const GIVE_BACK = `
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end`;

/** Each runs as a whole (Redis runs one script at a time), so that nodes that share a budget cannot both have its last. */
export const scripts = {
  takeFromBudget: defineScript({
    SCRIPT: TAKE,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key: string, limit: number, windowMs: number) {
      parser.pushKey(key);
      parser.push(String(limit), String(windowMs));
    },
    transformReply(reply: unknown): Take {
      const [taken, used, leftMs] = reply as [number, number, number];
      return { taken: taken === 1, used, resetMs: Math.max(0, leftMs) };
    },
  }),
  giveBackToBudget: defineScript({
    SCRIPT: GIVE_BACK,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key: string) {
      parser.pushKey(key);
    },
    transformReply: () => undefined,
  }),
};
