import type { ChatTransport } from 'ai';
import { createParley } from '@parley/client';
import { ParleyChatTransport, type ParleyUIMessage } from '@parley/client/ai-sdk';

const parley = createParley({ baseUrl: process.env.BASE_URL! });
await parley.auth.login({ email: 'trial@example.com', password: 'a-good-password-1' });
const chatId = String((await parley.conversations.create()).id);
const transport: ChatTransport<ParleyUIMessage> = new ParleyChatTransport(parley);
const stream = await transport.sendMessages({
  chatId,
  messages: [{ id: 'a', role: 'user', parts: [{ type: 'text', text: 'Hello!' }] }],
  trigger: 'submit-message',
  messageId: undefined,
  abortSignal: undefined,
});
let text = '';
for await (const chunk of stream) if (chunk.type === 'text-delta') text += chunk.delta;
const [, reply] = await new ParleyChatTransport(parley).loadMessages(chatId);
const [part] = reply?.parts ?? [];
if (part?.type !== 'text' || part.text !== text) throw new Error('The transport failed');
parley.close();
console.log('The AI SDK works');
