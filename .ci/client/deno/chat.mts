import { createParley } from '@parley/client';

const parley = createParley({ baseUrl: Deno.env.get('BASE_URL')! });
await parley.auth.register({
  username: 'deno',
  email: 'deno@example.com',
  password: 'a-good-password-1',
});
const { id } = await parley.conversations.create();
const reply = parley.conversation(id).send('Hello!');
await reply.accepted;
const connection = parley.connection.getSnapshot();
let text = '';
for await (const piece of reply) text += piece;
const { content, status } = await reply.done;
parley.close();
if (connection !== 'live' || text !== content || status !== 'complete') throw new Error('The chat failed.');
console.log('Deno works');
