import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventHub } from './event-hub.js';
import { ParleyEvent } from './parley-event.js';

const ADA = 1;
const delta = (conversationId: number) =>
  new ParleyEvent('message.delta', { conversation_id: conversationId });
const update = (id: number) => new ParleyEvent('conversation.updated', { conversation: { id } });

describe('EventHub', () => {
  let hub: EventHub;
  let seen: ParleyEvent[];
  const listener = (event: ParleyEvent) => void seen.push(event);
  const publishAll = (...events: ParleyEvent[]) => events.forEach((event) => hub.publish(ADA, event));

  beforeEach(() => {
    hub = new EventHub();
    seen = [];
  });

  it('brings deltas to who reads their conversation, and to nobody else', () => {
    const [ofThree, ofFour] = [delta(3), delta(4)];
    hub.subscribe(ADA, listener);
    publishAll(ofThree);
    expect(seen).toEqual([]);

    hub.subscribeDeltas(3, listener);
    publishAll(ofThree, ofFour);

    expect(seen).toEqual([ofThree]);
  });

  it('brings all that happens in a conversation to who follows it, in order, until that ends', () => {
    const events = [update(3), delta(3), update(3)];
    const end = hub.subscribeConversation(ADA, 3, listener);
    publishAll(events[0]!, update(4), events[1]!, delta(4), events[2]!);
    hub.publish(2, update(3));
    end();
    publishAll(...events);

    expect(seen).toEqual(events);
  });

  it('ends a reading once, however often it is told to', () => {
    const end = hub.subscribeDeltas(3, () => undefined);
    end();
    hub.subscribeDeltas(3, listener);
    end();
    const heard = delta(3);
    publishAll(heard);

    expect(seen).toEqual([heard]);
  });

  it('keeps nothing of a reading that has ended', () => {
    const ends = [
      hub.subscribeDeltas(3, listener),
      hub.subscribeDeltas(3, () => undefined),
      hub.subscribeConversation(ADA, 4, listener),
    ];
    ends.forEach((end) => end());

    const { readers, listeners } = hub as unknown as Record<'readers' | 'listeners', Map<number, unknown>>;
    expect([readers.size, listeners.size]).toEqual([0, 0]);
  });
});
