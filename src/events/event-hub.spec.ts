import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventHub } from './event-hub.js';
import { ParleyEvent } from './parley-event.js';

const ADA = 1;
const delta = (conversationId: number) =>
  new ParleyEvent('message.delta', { conversation_id: conversationId });

describe('EventHub', () => {
  let hub: EventHub;
  let seen: ParleyEvent[];
  const listener = (event: ParleyEvent) => void seen.push(event);
  const publishAll = (...events: ParleyEvent[]) => events.forEach((event) => hub.publish(ADA, event));

  beforeEach(() => {
    hub = new EventHub();
    seen = [];
  });

  it('delivers deltas to subscribers of their conversation only', () => {
    const [ofThree, ofFour] = [delta(3), delta(4)];
    hub.subscribe(ADA, listener);
    publishAll(ofThree);
    expect(seen).toEqual([]);

    hub.subscribeDeltas(3, listener);
    publishAll(ofThree, ofFour);

    expect(seen).toEqual([ofThree]);
  });

  it('ignores repeated ends of a subscription', () => {
    const end = hub.subscribeDeltas(3, () => undefined);
    end();
    hub.subscribeDeltas(3, listener);
    end();
    const delivered = delta(3);
    publishAll(delivered);

    expect(seen).toEqual([delivered]);
  });

  it('removes the listeners of an ended subscription', () => {
    const ends = [
      hub.subscribeDeltas(3, listener),
      hub.subscribeDeltas(3, () => undefined),
      hub.subscribe(ADA, listener),
    ];
    ends.forEach((end) => end());

    const { deltaListeners, listeners } = hub as unknown as Record<string, Map<number, unknown>>;
    expect([deltaListeners!.size, listeners!.size]).toEqual([0, 0]);
  });

  it('relays between the first subscription of a user and the end of the last', () => {
    const calls: string[] = [];
    hub.connect({
      send: () => undefined,
      listen: async (userId) => void calls.push(`listen ${userId}`),
      leave: (userId) => calls.push(`leave ${userId}`),
    });

    const ends = [hub.subscribe(ADA, listener), hub.subscribe(ADA, () => undefined)];
    ends[0]!();
    expect(calls).toEqual(['listen 1']);
    ends[1]!();
    ends[1]!();

    expect(calls).toEqual(['listen 1', 'leave 1']);
  });
});
