import type { ServerEvents } from '../rest/types.gen.js';

/** An event of the server: its name and its body. */
export type LiveEvent = {
  [Name in keyof ServerEvents]: { type: Name; body: ServerEvents[Name] };
}[keyof ServerEvents];

const TYPES: Record<keyof ServerEvents, true> = {
  'message.created': true,
  'message.delta': true,
  'message.completed': true,
  'message.restarted': true,
  'conversation.created': true,
  'conversation.updated': true,
  'conversation.deleted': true,
  'config.changed': true,
  'session.expiring': true,
};

/** Returns null for events of newer servers. */
export function liveEvent(type: string, body: unknown): LiveEvent | null {
  return Object.hasOwn(TYPES, type) ? ({ type, body } as LiveEvent) : null;
}
