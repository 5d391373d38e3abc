import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Response } from 'express';
import { EventEmitter } from 'node:events';
import { ParleyEvent } from '../../../events/parley-event.js';
import { EventStreamResponse } from './event-stream-response.js';

/** A fake of the response methods that an event stream uses. */
class FakeResponse extends EventEmitter {
  readonly req = { method: 'GET' };
  destroyed = false;
  ended = false;
  writableLength = 0;
  text = '';

  status = () => this;
  set = () => this;
  flushHeaders = () => undefined;

  write(data: Buffer): void {
    this.text += data.toString();
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

const delta = () => new ParleyEvent('message.delta', { conversation_id: 1, text: 'a\nb' }, '5.1.3.0');

describe('EventStreamResponse', () => {
  let response: FakeResponse;
  let stream: EventStreamResponse;
  let endings: number;

  beforeEach(() => {
    jest.useFakeTimers();
    response = new FakeResponse();
    stream = new EventStreamResponse(response as unknown as Response);
    endings = 0;
    stream.onEnd(() => endings++);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('sends a comment every 15 s until it ends', () => {
    jest.advanceTimersByTime(14_999);
    expect(response.text).toBe('');
    jest.advanceTimersByTime(30_001);
    expect(response.text).toBe(': keep-alive\n\n'.repeat(3));

    stream.end();
    jest.advanceTimersByTime(60_000);
    expect(response.text).toBe(': keep-alive\n\n'.repeat(3));
    expect(jest.getTimerCount()).toBe(0);
  });

  it('writes an id line only for events with a cursor', () => {
    stream.send(delta());
    stream.send(new ParleyEvent('conversation.updated', { conversation: { id: 1 } }));

    expect(response.text).toBe(
      'id: 5.1.3.0\nevent: message.delta\ndata: {"type":"message.delta","conversation_id":1,"text":"a\\nb"}\n\n' +
        'event: conversation.updated\ndata: {"type":"conversation.updated","conversation":{"id":1}}\n\n',
    );
  });

  it('does not send internal events', () => {
    stream.send(new ParleyEvent('reply.stop', { conversation_id: 1 }));

    expect(response.text).toBe('');
  });

  it('ends once, whether the client or the server ends it', () => {
    response.destroy();
    stream.end();
    stream.send(delta());

    expect([endings, response.text]).toEqual([1, '']);
  });

  it('ends at once for a disconnected client or a HEAD request', () => {
    const [gone, head] = [new FakeResponse(), new FakeResponse()];
    gone.destroyed = true;
    head.req.method = 'HEAD';

    for (const over of [gone, head]) {
      let ended = false;
      new EventStreamResponse(over as unknown as Response).onEnd(() => (ended = true));
      expect(ended).toBe(true);
    }
    jest.advanceTimersByTime(60_000);
    expect([head.ended, gone.text, head.text]).toEqual([true, '', '']);
  });

  it('destroys the response over the backpressure limit and writes no more', () => {
    stream.goLive();
    response.writableLength = 1024 * 1024 + 1;
    stream.send(delta());
    stream.send(delta());

    expect([response.destroyed, response.text, endings]).toEqual([true, '', 1]);
  });

  it('does not count missed events against the backpressure limit', () => {
    response.writableLength = 20 * 1024 * 1024;
    stream.send(delta());
    stream.goLive();
    stream.send(delta());
    expect(response.destroyed).toBe(false);

    response.writableLength += 1024 * 1024 + 1;
    stream.send(delta());
    expect(response.destroyed).toBe(true);
  });
});
