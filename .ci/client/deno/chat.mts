import { createParley } from '@parley/client';

const parley = createParley({ baseUrl: Deno.env.get('BASE_URL')! });
await parley.auth.register({
  username: 'deno',
  email: 'deno@example.com',
  password: 'a-good-password-1',
});
const { id } = await parley.conversations.create();
const states: string[] = [];
const reply = parley.conversation(id).send('Hello!', {
  files: [{ name: 'notes.md', data: '# Notes' }, new File(['a,b'], 'table.csv')],
  onProgress: (uploads) => states.push(uploads.map(({ status }) => status).join()),
});
const { user_message } = await reply.accepted;
const names = user_message.files.map(({ name, bytes }) => `${name} ${bytes}`).join();
if (names !== 'notes.md 7,table.csv 3' || states.at(-1) !== 'done,done') throw new Error('The files failed.');
const connection = parley.connection.getSnapshot();
let text = '';
for await (const piece of reply) text += piece;
const { content, status } = await reply.done;
parley.close();
if (connection !== 'live' || text !== content || status !== 'complete') throw new Error('The chat failed.');
console.log('Deno works');
