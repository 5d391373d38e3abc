import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { Subscription } from './subscription.js';

describe('Subscription', () => {
  let hub: EventHub;
  let subscription: Subscription;
  let received: unknown[];
  const publishTo = (...ids: number[]) =>
    ids.forEach((id) => hub.publish(1, new ParleyEvent('message.delta', { conversation_id: id })));

  beforeEach(() => {
    hub = new EventHub();
    received = [];
    subscription = new Subscription(hub, 1, ({ conversationId, type }) => {
      received.push(conversationId ?? type);
    });
  });

  it('delivers only events of its user', () => {
    hub.publish(1, new ParleyEvent('config.changed', {}));
    hub.publish(2, new ParleyEvent('config.changed', {}));

    expect(received).toEqual(['config.changed']);
  });

  it('delivers the deltas of open conversations once each, however often they are opened', () => {
    [3, 4, 3].forEach((id) => subscription.open(id));
    publishTo(3, 4, 5);

    expect(received).toEqual([3, 4]);
    expect(subscription.openConversations).toEqual([3, 4]);
  });

  it('delivers deltas and other events in the order in which they are published', () => {
    const events = ['message.created', 'message.delta', 'message.completed'] as const;
    const types: string[] = [];
    new Subscription(hub, 1, ({ type }) => types.push(type)).open(3);

    events.forEach((type) => hub.publish(1, new ParleyEvent(type, { conversation_id: 3 })));

    expect(types).toEqual(events);
  });

  it('delivers no deltas of a closed conversation', () => {
    [3, 4].forEach((id) => subscription.open(id));
    subscription.close(3);
    subscription.close(5);
    publishTo(3, 4);

    expect(received).toEqual([4]);
    expect([subscription.isOpen(3), subscription.isOpen(4)]).toEqual([false, true]);
  });

  it('delivers nothing after its end, even if a late command opens a conversation', () => {
    subscription.open(3);
    subscription.end();
    subscription.open(4);
    publishTo(3, 4);
    hub.publish(1, new ParleyEvent('config.changed', {}));

    expect(received).toEqual([]);
    expect(subscription.openConversations).toEqual([]);
  });
});
