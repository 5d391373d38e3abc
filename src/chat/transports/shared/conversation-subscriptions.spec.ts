import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventHub } from '../../../events/event-hub.js';
import { ParleyEvent } from '../../../events/parley-event.js';
import { ConversationSubscriptions } from './conversation-subscriptions.js';

describe('OpenConversations', () => {
  let hub: EventHub;
  let opened: ConversationSubscriptions;
  let seen: number[];
  const publishTo = (...ids: number[]) =>
    ids.forEach((id) => hub.publish(1, new ParleyEvent('message.delta', { conversation_id: id })));

  beforeEach(() => {
    hub = new EventHub();
    seen = [];
    opened = new ConversationSubscriptions(hub, ({ conversationId }) => void seen.push(conversationId!));
  });

  it('get their deltas once each, however often they are opened', () => {
    [3, 4, 3].forEach((id) => opened.open(id));
    publishTo(3, 4, 5);

    expect(seen).toEqual([3, 4]);
    expect(opened.ids).toEqual([3, 4]);
  });

  it('get no more once they are closed', () => {
    [3, 4].forEach((id) => opened.open(id));
    opened.close(3);
    opened.close(5);
    publishTo(3, 4);

    expect(seen).toEqual([4]);
    expect([opened.has(3), opened.has(4)]).toEqual([false, true]);
  });

  it('are none for a socket that is closed, whatever a late command opens', () => {
    opened.open(3);
    opened.closeAll();
    opened.open(4);
    publishTo(3, 4);

    expect(seen).toEqual([]);
    expect(opened.ids).toEqual([]);
  });
});
