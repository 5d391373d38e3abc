/** Runs the snippets of docs/clients.md for curl, Python and Go, as they are printed, with the server at argv[2]. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PARLEY = process.argv[2];
const QUESTION = 'Hello!';
const name = `snippet-${process.pid}`;
const account = { username: name, email: `${name}@example.com`, password: 'correct horse battery' };
const cwd = mkdtempSync(join(tmpdir(), 'parley-snippets-'));
const sections = readFileSync('docs/clients.md', 'utf8').split(/^##+ /m);
let TOKEN;

const snippet = (title) => {
  const section = sections.find((each) => each.startsWith(`${title}\n`));
  const [, code] = /^```\w+\n([^]*?)^```$/m.exec(section);
  return code.replaceAll('http://127.0.0.1:3000', PARLEY);
};

async function call(path, body) {
  const headers = { 'Content-Type': 'application/json', ...(TOKEN && { Authorization: `Bearer ${TOKEN}` }) };
  const answer = await fetch(PARLEY + path, {
    method: body ? 'POST' : 'GET',
    headers,
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** Runs a command in a conversation of its own. @returns what it printed, and the stored messages */
async function run(command, args) {
  const { id } = await call('/conversations/create', {});
  const env = { ...process.env, PARLEY, TOKEN, ID: String(id) };
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, timeout: 120_000 });
  return { stdout, messages: (await call(`/conversations/${id}`)).messages };
}

/** Writes the snippet to a file; its program must print the reply. */
async function prints(title, file, command, ...args) {
  writeFileSync(join(cwd, file), snippet(title));
  const { stdout, messages } = await run(command, [...args, file]);
  assert.deepEqual(
    messages.map(({ content }) => content),
    [QUESTION, stdout],
  );
}

async function streamsToCurl() {
  const { stdout, messages } = await run('sh', ['-c', snippet('`curl`')]);
  const events = [...stdout.matchAll(/^event: (.+)$/gm)].map(([, name]) => name);
  assert.deepEqual(events.slice(0, 2), ['message.created', 'message.created']);
  assert.equal(events.at(-1), 'message.completed');
  assert.equal(messages[0].content, QUESTION);
}

async function sendsFile() {
  writeFileSync(join(cwd, 'notes.md'), '# Notes');
  const [upload, send] = snippet('Files').split(/\n(?=curl)/);
  const file = JSON.parse((await run('sh', ['-c', upload])).stdout);
  const { messages } = await run('sh', ['-c', send.replace('[1]', `[${file.id}]`)]);
  assert.equal(messages[0].files[0].name, 'notes.md');
}

await call('/auth/register', account);
({ access_token: TOKEN } = await call('/auth/login', { email: account.email, password: account.password }));
await Promise.all([
  streamsToCurl(),
  sendsFile(),
  prints('Python', 'chat.py', 'python3'),
  prints('Go', 'chat.go', 'go', 'run'),
]);
const { stdout: unformatted } = await promisify(execFile)('gofmt', ['-l', 'chat.go'], { cwd });
assert.equal(unformatted, '');
rmSync(cwd, { recursive: true });
console.log('The snippets for curl, Python and Go work.');
