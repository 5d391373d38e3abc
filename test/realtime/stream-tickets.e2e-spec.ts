import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { DataSource } from 'typeorm';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { within } from '../support/clients/event-log.js';
import { LogLines } from '../support/app/log-lines.js';
import { SseReader, SseRefused } from '../support/clients/sse.js';
import { SocketClient } from '../support/clients/socket.js';
import type { TestUser } from '../support/app/user.js';
import { WebSocketClient } from '../support/clients/websocket.js';
import { readTables } from '../security/tables.js';

const log = new LogLines();
let t: TestApp;
let node: TestApp;
let limited: TestApp;
let ada: TestUser;
let id: number;

beforeAll(async () => {
  t = await startTestApp({ log });
  node = await t.startNode();
  limited = await t.startNode({ RATE_LIMIT_SCALE: '0.01' });
  ada = await t.user().withConfig(t.provider).create();
  ({ id } = await ada.createConversation());
});
afterEach(() => void jest.restoreAllMocks());
afterAll(async () => {
  for (const each of [limited, node, t]) await each?.stop();
});

interface Ticket {
  ticket: string;
  expires_at: string;
}

async function ticketOf(user: TestUser): Promise<string> {
  const { status, body } = await user.post<Ticket>('/auth/stream-ticket');
  expect(status).toBe(200);
  return body.ticket;
}

/** As a browser's EventSource does it, without any header of its own. */
const openSse = async (query: string, conversation: number | string = id, at = t) =>
  t.opened(
    await SseReader.open((signal) =>
      fetch(`${at.url}/conversations/${conversation}/events?${query}`, { signal }),
    ),
  );

const openWs = (query: string, conversation: number | string = id, at = t) =>
  t.opened(new WebSocketClient(`${at.url}/conversations/ws/${conversation}?${query}`, { auth: 'none' }));

/** What comes of opening a stream: `open`, the problem or the close code. */
const outcomeOf = {
  async sse(query: string, conversation: number | string = id, at = t): Promise<string> {
    const opened = openSse(query, conversation, at);
    return opened.then(
      () => 'open',
      ({ answer }: SseRefused) => `${answer.status} ${String(answer.body.code)}`,
    );
  },
  async websocket(query: string, conversation: number | string = id, at = t): Promise<string> {
    const ws = openWs(query, conversation, at);
    await ws.opened;
    const opened = ws.until(({ type }) => type === 'conversation.snapshot');
    return opened.then(
      () => 'open',
      async () => String((await ws.closed).code),
    );
  },
};

const TRANSPORTS = [
  {
    transport: 'sse',
    refused: '401 unauthenticated',
    revoked: '401 token_revoked',
    missing: '404 not_found',
  },
  { transport: 'websocket', refused: '4401', revoked: '4401', missing: '4404' },
] as const;

describe('a stream ticket', () => {
  it('is issued to a signed-in user, for 30 s', async () => {
    const unsigned = await t.http.post('/auth/stream-ticket');
    expect([unsigned.status, unsigned.body]).toMatchObject([401, { code: 'unauthenticated' }]);
    const before = Date.now();

    const { body, headers } = await ada.post<Ticket>('/auth/stream-ticket');

    expect(body).toEqual({ ticket: expect.stringMatching(/^[\w-]{43}$/), expires_at: expect.any(String) });
    expect(Date.parse(body.expires_at) - before).toBeGreaterThanOrEqual(30_000);
    expect(Date.parse(body.expires_at) - Date.now()).toBeLessThanOrEqual(30_000);
    expect(headers.get('Cache-Control')).toContain('no-store');
    expect(await ticketOf(ada)).not.toBe(body.ticket);
  });

  it('counts against the general rate limit', async () => {
    const statuses: number[] = [];
    while (statuses.at(-1) !== 429 && statuses.length < 20)
      statuses.push((await ada.on(limited).post('/auth/stream-ticket')).status);

    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 429]);
  });

  it('is stored only as a hash', async () => {
    const ticket = await ticketOf(ada);

    const stored = JSON.stringify(await readTables(t.app.get(DataSource)));

    expect(stored).not.toContain(ticket);
    expect(stored).toContain(createHash('sha256').update(ticket).digest('hex'));
  });
});

describe.each(TRANSPORTS)('a ticket over $transport', ({ transport, refused, revoked, missing }) => {
  const open = outcomeOf[transport];

  it('is accepted once', async () => {
    const ticket = await ticketOf(ada);

    expect(await open(`ticket=${ticket}`)).toBe('open');
    expect(await open(`ticket=${ticket}`)).toBe(refused);
  });

  it('is accepted once among concurrent attempts over both transports', async () => {
    const query = `ticket=${await ticketOf(ada)}`;

    const all = [...Array(6).keys()].map((i) => outcomeOf[i % 2 ? 'sse' : 'websocket'](query));

    expect((await Promise.all(all)).filter((outcome) => outcome === 'open')).toHaveLength(1);
  });

  it('is accepted once among concurrent attempts at two nodes', async () => {
    for (const issuer of [t, node]) {
      const query = `ticket=${await ticketOf(ada.on(issuer))}`;
      const outcomes = await Promise.all([t, node, t, node].map((at) => open(query, id, at)));
      expect(outcomes.filter((outcome) => outcome === 'open')).toHaveLength(1);
    }
  });

  it('opens only its user’s conversations', async () => {
    const bob = await t.user().create();

    expect(await open(`ticket=${await ticketOf(bob)}`)).toBe(missing);
    expect(await open(`ticket=${await ticketOf(bob)}`, (await bob.createConversation()).id)).toBe('open');
  });

  it('expires after 30 s', async () => {
    const [early, late] = [await ticketOf(ada), await ticketOf(ada)];
    const now = Date.now();

    jest.spyOn(Date, 'now').mockReturnValue(now + 29_000);
    expect(await open(`ticket=${early}`)).toBe('open');
    jest.spyOn(Date, 'now').mockReturnValue(now + 30_000);
    expect(await open(`ticket=${late}`)).toBe(refused);
  });

  it.each([
    ['unknown', () => `ticket=${'a'.repeat(43)}`],
    ['empty', () => 'ticket='],
    ['long', () => `ticket=${'a'.repeat(5000)}`],
    ['an access token', () => `ticket=${ada.tokens.access_token}`],
    ['a refresh token', () => `ticket=${ada.tokens.refresh_token}`],
    ['in other letters', async () => `ticket=${swapCase(await ticketOf(ada))}`],
    ['cut', async () => `ticket=${(await ticketOf(ada)).slice(0, -1)}`],
    [
      'its own hash',
      async () =>
        `ticket=${createHash('sha256')
          .update(await ticketOf(ada))
          .digest('hex')}`,
    ],
    ['repeated', async () => `ticket=${await ticketOf(ada)}&ticket=${await ticketOf(ada)}`],
    ['malformed', () => 'ticket=%E0%A4%A'],
  ])('is refused if it is %s', async (_, query) => {
    expect(await open(await query())).toBe(refused);
  });

  it.each([
    ['logged out', (device: TestUser) => device.post('/auth/logout')],
    ['revoked', () => ada.post('/auth/sessions/revoke-others')],
  ])('is refused once its session is %s', async (_, end) => {
    const device = await ada.signInAgain();
    const query = `ticket=${await ticketOf(device)}`;
    expect((await end(device)).status).toBe(204);

    expect(await open(query)).toBe(revoked);
    expect(await open(query)).toBe(refused);
  });

  it('is refused once the account is deleted', async () => {
    const bob = await t.user().create();
    const query = `ticket=${await ticketOf(bob)}`;
    await bob.post('/auth/me/delete', { current_password: bob.password });

    expect(await open(query)).toBe(revoked);
  });

  it('leaves the other query parameters of the URL in effect', async () => {
    expect(await open(`a=b&ticket=${await ticketOf(ada)}&c=?`)).toBe('open');
  });
});

const swapCase = (text: string) =>
  [...text].map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase())).join('');

describe('a ticket elsewhere', () => {
  it.each([
    ['GET', '/auth/me'],
    ['GET', '/conversations'],
    ['GET', '/conversations/:id'],
    ['GET', '/conversations/search?q=a'],
    ['POST', '/conversations/:id/chat'],
    ['POST', '/conversations/:id/stop'],
    ['POST', '/auth/stream-ticket'],
    ['POST', '/auth/logout'],
  ])('is refused and not consumed: %s %s', async (method, path) => {
    const ticket = await ticketOf(ada);
    const url = path.replace(':id', String(id));
    const query = `${url.includes('?') ? '&' : '?'}ticket=${ticket}`;
    const body = path.endsWith('/chat') ? { content: 'Hi' } : undefined;

    const headerSets: Record<string, string>[] = [
      {},
      { Accept: 'text/event-stream' },
      { Authorization: `Bearer ${ticket}` },
    ];
    for (const headers of headerSets)
      expect((await t.http.fetch(method, `${url}${query}`, body, headers)).status).toBe(401);

    expect(await outcomeOf.sse(`ticket=${ticket}`)).toBe('open');
  });

  it('is refused by Socket.IO', async () => {
    const ticket = await ticketOf(ada);
    const options = [
      { query: { ticket } },
      { auth: { ticket } },
      { auth: { token: ticket } },
      { extraHeaders: { Authorization: `Bearer ${ticket}` }, query: { ticket } },
    ];
    for (const option of options) {
      const { connected } = t.opened(new SocketClient(t.url, undefined, option));
      await expect(connected).rejects.toMatchObject({ data: { code: 'unauthenticated' } });
    }

    expect(await outcomeOf.sse(`ticket=${ticket}`)).toBe('open');
  });

  it('is not consumed beside a token in the header', async () => {
    const ticket = await ticketOf(ada);

    await ada.sse(`/conversations/${id}/events?ticket=${ticket}`);
    await ada.ws(`${id}?ticket=${ticket}`).until(({ type }) => type === 'conversation.snapshot');
    const garbage = { Authorization: 'Bearer garbage' };
    const bad = await t.http.fetch('GET', `/conversations/${id}/events?ticket=${ticket}`, undefined, garbage);

    const twice = await ada.get(`/conversations/${id}/events?ticket=${ticket}&ticket=${ticket}`);

    expect([bad.status, twice.status]).toEqual([401, 422]);
    expect(await outcomeOf.websocket(`ticket=${ticket}`)).toBe('open');
  });
});

describe('a stream opened by a ticket', () => {
  it('sends the events of the conversation, and accepts commands on the WebSocket', async () => {
    const sse = await openSse(`ticket=${await ticketOf(ada)}`);
    const ws = openWs(`ticket=${await ticketOf(ada)}`);

    const ack = await ws.request('chat.send', { content: 'Hi' });

    expect(ack).toMatchObject({ ok: true });
    for (const stream of [sse, ws])
      expect(await stream.until(({ type }) => type === 'message.completed')).toMatchObject({
        message: { content: 'Hello from the model.', status: 'complete' },
      });
  });

  it('is closed with the session', async () => {
    const device = await ada.signInAgain();
    const sse = await openSse(`ticket=${await ticketOf(device)}`);
    const ws = openWs(`ticket=${await ticketOf(device)}`);
    await ws.until(({ type }) => type === 'conversation.snapshot');

    await device.post('/auth/logout');

    await within(sse.ended, 'The stream went on');
    expect((await within(ws.closed, 'The WebSocket went on')).code).toBe(4401);
  });

  it('is closed when the access token of its request expires, with a warning on the WebSocket', async () => {
    const device = await ada.signInAgain();
    device.tokens.access_token = tokenWithSecondsLeft(t, device, 4);
    const { exp } = JSON.parse(
      Buffer.from(device.tokens.access_token.split('.')[1]!, 'base64url').toString(),
    ) as { exp: number };
    const expiresAt = new Date(exp * 1000).toISOString();
    const [first, second] = [
      await device.post<Ticket>('/auth/stream-ticket'),
      await device.post<Ticket>('/auth/stream-ticket'),
    ];
    const sse = await openSse(`ticket=${first.body.ticket}`);
    const ws = openWs(`ticket=${second.body.ticket}`);

    const expiring = await ws.until(({ type }) => type === 'session.expiring');

    expect(first.body.expires_at).toBe(expiresAt);
    expect(expiring).toMatchObject({ expires_at: expiresAt });
    await within(sse.ended, 'The stream went on');
    expect((await within(ws.closed, 'The WebSocket went on')).code).toBe(4401);
  });
});

describe('a ticket in a URL', () => {
  const tickets: string[] = [];
  const next = async () => {
    tickets.push(await ticketOf(ada));
    return `ticket=${tickets.at(-1)}`;
  };

  it('appears in no log line, problem or metric', async () => {
    for (const outcome of Object.values(outcomeOf)) {
      const query = await next();
      expect(await outcome(query)).toBe('open');
      await outcome(query);
      await outcome(await next(), 999_999);
      await outcome(await next(), 'no-id');
      await outcome(await next(), 'no/route').catch(() => undefined);
    }
    const answers: string[] = [];
    for (const path of [`/conversations/${id}/events`, `/conversations/${id}/chat`, '/nowhere', '/auth/me'])
      for (const method of ['GET', 'POST', 'PUT', 'OPTIONS']) {
        const answer = await t.http.fetch(method, `${path}?ticket=${tickets[0]}`);
        answers.push(JSON.stringify([...answer.headers]) + (await answer.text()));
      }
    const last = await t.http.get<string>('/metrics');
    await log.ofRequest(last.headers.get('X-Request-Id'));

    expect(log.text).toMatch(/"route":"\/conversations\/:id\/events".*"status":401/);
    expect(answers.join()).toContain(`"instance":"/conversations/${id}/events"`);
    for (const ticket of tickets) expect([log.text, ...answers, last.body].join()).not.toContain(ticket);
  });
});
