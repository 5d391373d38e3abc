import { describe, expect, it } from '@jest/globals';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { messageCompleted, messageCreated, messageDelta } from '../events/chat.events.js';
import { type Cursor, parseCursor } from '../events/cursor.js';
import { beginningOf, missedOf, missingLengthOf, SentMessages } from './catch-up.js';

const message = (id: number, more: Partial<MessageDto> = {}) =>
  ({
    id,
    conversation_id: 1,
    role: 'assistant',
    status: 'complete',
    content: 'Hello',
    reasoning: 'Hm',
    ...more,
  }) as MessageDto;
const cursor = (text: string) => parseCursor(text)!;
const delta = (message_id: number) =>
  messageDelta({ conversation_id: 1, message_id, part: 'content', offset: 0, text: 'x' }, () => '');

/** Types of events, and offset and text of deltas. */
const summary = (events: ParleyEvent[]) =>
  events.map(({ type, body }) =>
    type === 'message.delta' ? `${body.part} ${body.offset} ${body.text}` : type,
  );

describe('missedOf', () => {
  const running = message(7, { status: 'streaming' });
  const all = ['reasoning 0 Hm', 'content 0 Hello'];

  it.each<[what: string, message: MessageDto, attempt: number, seen: Cursor | null, events: string[]]>([
    ['of a new reply', message(7), 1, cursor('5.1.0.0'), ['message.created', ...all, 'message.completed']],
    ['of a running reply', running, 1, cursor('5.1.9.9.done'), ['message.created', ...all]],
    ['without a position', running, 1, null, all],
    ['after part of the text', running, 1, cursor('7.1.2.2'), ['content 2 llo']],
    ['after all text', message(7), 1, cursor('7.1.5.2'), ['message.completed']],
    ['after the end', message(7), 1, cursor('7.1.5.2.done'), []],
    ['after a restart', running, 2, cursor('7.1.2.2'), ['message.restarted', ...all]],
    ['of a user’s message', message(7, { role: 'user' }), 1, cursor('5.1.0.0'), ['message.created']],
    ['of a known user’s message', message(7, { role: 'user' }), 1, cursor('7.1.0.0'), []],
  ])('are the events %s', (_, missed, attempt, seen, events) => {
    expect(summary(missedOf({ message: missed, attempt }, seen))).toEqual(events);
  });
});

it.each([
  ['5.1.3.3', 7],
  ['7.1.0.0', 7],
  ['7.1.2.1', 4],
  ['7.2.2.1', 7],
  ['7.1.5.2', 0],
])('the missing length after %s is %i', (seen, length) => {
  expect(missingLengthOf({ message: message(7), attempt: 1 }, cursor(seen))).toBe(length);
});

it('the beginning of a reply is before its first character', () => {
  expect(beginningOf(7, 2)).toEqual({ messageId: 7, attempt: 2, content: 0, reasoning: 0, done: false });
});

describe('SentMessages', () => {
  const covered = (sent: SentMessages, ids: number[], event: (id: number) => ParleyEvent) =>
    ids.filter((id) => sent.covers(event(id)));
  const created = (id: number) => messageCreated(message(id));
  const completed = (id: number) => messageCompleted(message(id), 1);
  const ids = [4, 5, 6, 7, 8];

  it('cover all events of messages between the positions', () => {
    const sent = new SentMessages(cursor('4.1.0.0'), cursor('7.1.0.0'));

    expect(covered(sent, ids, created)).toEqual([5, 6, 7]);
    expect(covered(sent, ids, delta)).toEqual([5, 6]);
    expect(covered(sent, ids, completed)).toEqual([5, 6]);
  });

  it('cover all events of the last message if it has ended', () => {
    const sent = new SentMessages(cursor('4.1.0.0'), cursor('7.1.0.0.done'));

    expect(covered(sent, ids, delta)).toEqual([5, 6, 7]);
  });

  it.each([
    [null, cursor('7.1.0.0')],
    [cursor('4.1.0.0'), null],
    [null, null],
  ])('cover none between %j and %j', (from, to) => {
    expect(covered(new SentMessages(from, to), ids, created)).toEqual([]);
  });

  it('cover messages that were added: their beginning, and all of those that have ended', () => {
    const sent = new SentMessages(null, null);
    sent.add(message(5));
    sent.add(message(6, { status: 'streaming' }));

    expect(covered(sent, ids, created)).toEqual([5, 6]);
    expect(covered(sent, ids, delta)).toEqual([5]);
    expect(covered(sent, ids, completed)).toEqual([5]);
  });

  it('cover no event without a message', () => {
    const sent = new SentMessages(cursor('4.1.0.0'), cursor('7.1.0.0'));

    expect(sent.covers(new ParleyEvent('connection.resume', {}))).toBe(false);
  });
});
