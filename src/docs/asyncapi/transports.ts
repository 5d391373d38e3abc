import { CONVERSATION_EVENTS, type EventName, EVENTS, schemaName } from '../openapi/events.js';
import { AUTH, REFUSAL, SNAPSHOT, SOCKET_COMMANDS } from './commands.js';

export interface Message {
  /** From the server's perspective: it sends events and receives commands. */
  action: 'send' | 'receive';
  summary: string;
  /** Name of its schema. */
  payload: string;
  /** Name of the acknowledgement's schema. */
  acknowledgement?: string;
}

export interface Transport {
  channel: string;
  title: string;
  address: string;
  server: string;
  description: string;
  messages: Record<string, Message>;
}

export const TRANSPORTS: Transport[] = [
  {
    channel: 'chat',
    title: 'Socket.IO',
    address: '/chat',
    server: 'socketio',
    description:
      'The namespace /chat; the handshake carries `auth: {token}`, or an Authorization header. A refused one is a ' +
      '`connect_error` with the problem in `data`. A socket gets the events of all conversations of its user, but ' +
      'deltas only of those that it opened. Each event has one argument, its body; a client that wants connection state ' +
      'recovery sends `auth: {token, recovery: true}`, and gets the offset as a second one. Each command is answered ' +
      'through its acknowledgement callback. More than 50 commands in a second are refused with `rate_limited`, more ' +
      'than 200 also close the socket; a `rate_limited` problem has the seconds to wait in `retry_after`.',
    messages: {
      ...eventsOf(Object.keys(EVENTS) as EventName[], ''),
      ...commandsOf(''),
      exception: { action: 'send', summary: REFUSAL, payload: 'Refusal' },
    },
  },
  {
    channel: 'conversation',
    title: 'WebSocket',
    address: '/conversations/ws/{id}',
    server: 'websocket',
    description:
      'For clients without Socket.IO: JSON text frames with the events of one conversation. The token comes in the ' +
      'Authorization header, as the subprotocols `bearer, <token>`, as a ticket in `?ticket=` (`POST ' +
      '/auth/stream-ticket`: one use, 30 s), or in a first frame `{"type": "auth", "token": …}` within 5 s. Opening it ' +
      'opens the conversation, whose id may then be left out of frames: the first frame is `conversation.snapshot`. ' +
      'Each command is answered by an `ack` frame with its `id`. Close codes: 4401 token bad, expired or revoked, 4404 ' +
      'no such conversation, 4408 no token in time, 4413 frame too large, 4429 too much.',
    messages: {
      auth: { action: 'receive', summary: AUTH, payload: 'AuthFrame' },
      'conversation.snapshot': { action: 'send', summary: SNAPSHOT, payload: 'ConversationSnapshot' },
      ...eventsOf([...CONVERSATION_EVENTS, 'session.expiring'], 'Event'),
      ...commandsOf('Frame'),
    },
  },
  {
    channel: 'events',
    title: 'Server-sent events',
    address: '/conversations/{id}/events',
    server: 'http',
    description:
      'The events of one conversation. `event:` is the name, `data:` the body on one line with the name as `type`, ' +
      "`id:` what to resume with in `Last-Event-ID`. Without one, a running reply's text so far comes first. A comment " +
      "every 15 s keeps proxies from closing it. A browser's EventSource, which cannot set a header, sends `?ticket=` " +
      '(`POST /auth/stream-ticket`: one use, 30 s).',
    messages: eventsOf(CONVERSATION_EVENTS, 'Event'),
  },
];

/** @param suffix of the schemas' names: frames and server-sent events have the name in their body too */
function eventsOf(names: readonly EventName[], suffix: '' | 'Event'): Record<string, Message> {
  return Object.fromEntries(
    names.map((name) => [
      name,
      { action: 'send', summary: EVENTS[name].summary, payload: `${schemaName(name)}${suffix}` },
    ]),
  );
}

function commandsOf(suffix: '' | 'Frame'): Record<string, Message> {
  return Object.fromEntries(
    Object.entries(SOCKET_COMMANDS).map(([name, { summary }]) => [
      name,
      {
        action: 'receive',
        summary,
        payload: `${schemaName(name)}${suffix}`,
        acknowledgement: `${schemaName(name)}Ack${suffix}`,
      },
    ]),
  );
}
