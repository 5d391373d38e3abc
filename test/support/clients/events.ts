import type { SeenEvent } from './event-log.js';

export const isDelta = ({ type }: SeenEvent) => type === 'message.delta';
export const isCompleted = ({ type }: SeenEvent) => type === 'message.completed';
export const isRestarted = ({ type }: SeenEvent) => type === 'message.restarted';

export const typesOf = (events: SeenEvent[]) => events.map(({ type }) => type);
export const ofMessage = (id: unknown, events: SeenEvent[]) =>
  events.filter(({ message_id }) => message_id === id);

/**
 * The text of one reply as a client assembles it: each delta replaces what follows its offset. Throws on a gap.
 *
 * @param start the text before the first delta
 */
export function textOf(events: SeenEvent[], start = '', part: 'content' | 'reasoning' = 'content'): string {
  return events
    .filter((event) => isDelta(event) && event.part === part)
    .reduce((text, { offset, text: more }) => {
      if ((offset as number) > text.length)
        throw new Error(`A gap at ${text.length}, before ${String(offset)}`);
      return text.slice(0, offset as number) + String(more);
    }, start);
}
