import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Response } from 'express';
import { EventEmitter } from 'node:events';
import { ParleyEvent } from '../../../events/parley-event.js';
import { EventStreamResponse } from './event-stream-response.js';

/** What a response does, as far as a stream of events uses it. */
class PlayedResponse extends EventEmitter {
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
  let response: PlayedResponse;
  let stream: EventStreamResponse;
  let endings: number;

  beforeEach(() => {
    jest.useFakeTimers();
    response = new PlayedResponse();
    stream = new EventStreamResponse(response as unknown as Response);
    endings = 0;
    stream.onEnd(() => endings++);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('sends a comment every 15 s, until it ends', () => {
    jest.advanceTimersByTime(14_999);
    expect(response.text).toBe('');
    jest.advanceTimersByTime(30_001);
    expect(response.text).toBe(': keep-alive\n\n'.repeat(3));

    stream.end();
    jest.advanceTimersByTime(60_000);
    expect(response.text).toBe(': keep-alive\n\n'.repeat(3));
    expect(jest.getTimerCount()).toBe(0);
  });

  it('writes an event as three lines, one that has no place in the conversation as two', () => {
    stream.send(delta());
    stream.send(new ParleyEvent('conversation.updated', { conversation: { id: 1 } }));

    expect(response.text).toBe(
      'id: 5.1.3.0\nevent: message.delta\ndata: {"type":"message.delta","conversation_id":1,"text":"a\\nb"}\n\n' +
        'event: conversation.updated\ndata: {"type":"conversation.updated","conversation":{"id":1}}\n\n',
    );
  });

  it('keeps to itself what is the server’s own', () => {
    stream.send(new ParleyEvent('reply.stop', { conversation_id: 1 }));

    expect(response.text).toBe('');
  });

  it('ends once, from whichever side', () => {
    response.destroy();
    stream.end();
    stream.send(delta());

    expect([endings, response.text]).toEqual([1, '']);
  });

  it('is over from the start where the client has left, or asked for the headers alone', () => {
    const [gone, head] = [new PlayedResponse(), new PlayedResponse()];
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

  it('cuts a client for which too much waits, and writes no more', () => {
    stream.goLive();
    response.writableLength = 1024 * 1024 + 1;
    stream.send(delta());
    stream.send(delta());

    expect([response.destroyed, response.text, endings]).toEqual([true, '', 1]);
  });

  it('lets what was missed wait, however much it is, and counts from there', () => {
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
