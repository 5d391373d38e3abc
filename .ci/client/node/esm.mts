import { createParley, ParleyError, type ChatMessage, type User } from '@parley/client';
import { useConversation, type UseConversation } from '@parley/client/react';

const parley = createParley({ baseUrl: process.env.BASE_URL ?? 'http://127.0.0.1:9' });
await parley.auth.ready;
const user: User | null = parley.auth.user;
const error: unknown = await parley.rest.getMe().catch((reason: unknown) => reason);
if (user || !(error instanceof ParleyError) || error.code !== 'signed_out') throw new Error('ESM failed');
if (process.env.BASE_URL) await chat();
const hook: (id: number) => UseConversation = useConversation;
if (typeof hook !== 'function') throw new Error('The hooks are missing');
parley.close();
console.log('ESM works');

async function chat(): Promise<void> {
  await parley.auth.register({
    username: 'trial',
    email: 'trial@example.com',
    password: 'a-good-password-1',
  });
  const { id } = await parley.conversations.create();
  const conversation = parley.conversation(id);
  const reply = conversation.send('Hello!');
  let text = '';
  for await (const piece of reply) text += piece;
  const { content, status } = await reply.done;
  const shown: readonly ChatMessage[] = conversation.getSnapshot().messages;
  if (!text || text !== content || status !== 'complete' || shown.length !== 2)
    throw new Error('Chat failed');
}
