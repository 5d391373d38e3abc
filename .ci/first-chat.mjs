/** Registers, sends a message to the demo model, reads the streamed reply, and reads it again from the history. */
import assert from 'node:assert/strict';

const url = process.argv[2];
const who = { username: 'newcomer', email: 'newcomer@example.com', password: 'correct horse battery' };
const headers = { 'Content-Type': 'application/json' };

async function call(method, path, body) {
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text && answer.headers.get('Content-Type').includes('json') ? JSON.parse(text) : text;
}

await call('POST', '/auth/register', who);
const { access_token: token } = await call('POST', '/auth/login', {
  email: who.email,
  password: who.password,
});
headers.Authorization = `Bearer ${token}`;
const { id } = await call('POST', '/conversations/create', {});

headers.Accept = 'text/event-stream';
const stream = await call('POST', `/conversations/${id}/chat`, { content: 'What can you do?' });
delete headers.Accept;
const events = [...stream.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, type, data]) => ({
  type,
  ...JSON.parse(data),
}));
const deltas = events.filter(({ type }) => type === 'message.delta');
const reply = events.at(-1);
assert.equal(reply.type, 'message.completed', stream.slice(0, 2000));
assert.equal(reply.message.status, 'complete');
assert.ok(deltas.length > 3, `The reply came in ${deltas.length} pieces.`);
assert.equal(deltas.map(({ text }) => text).join(''), reply.message.content);

const { messages } = await call('GET', `/conversations/${id}`);
assert.deepEqual(
  messages.map(({ role, content }) => [role, content]),
  [
    ['user', 'What can you do?'],
    ['assistant', reply.message.content],
  ],
);
for (const path of ['/', '/docs', '/openapi.json', '/asyncapi.json']) await call('GET', path);
console.log(`The first chat: ${deltas.length} pieces, ${reply.message.content.length} characters.`);
