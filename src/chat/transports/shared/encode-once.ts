import type { ParleyEvent } from '../../../events/parley-event.js';

/**
 * Encodes an event once for all clients of a transport. Deltas are encoded each time: most of them have one client,
 * and there are many.
 */
export function encodeOnce<T extends object>(encode: (event: ParleyEvent) => T): (event: ParleyEvent) => T {
  const encoded = new WeakMap<ParleyEvent, T>();
  return (event) => {
    if (event.type === 'message.delta') return encode(event);
    let result = encoded.get(event);
    if (!result) encoded.set(event, (result = encode(event)));
    return result;
  };
}
