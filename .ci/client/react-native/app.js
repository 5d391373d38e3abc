import { createParley } from '@parley/client';
import { ParleyProvider, useConversation } from '@parley/client/react';
import { createElement } from 'react';

/**
 * What an app does first, with a file of the device. React Native has no DOM, so the hooks are imported here and rendered by nothing.
 */
export async function chat(baseUrl, uri) {
  if (createElement(ParleyProvider, null).type !== ParleyProvider || !useConversation)
    throw new Error('No hooks');
  const parley = createParley({ baseUrl });
  await parley.auth.register({
    username: 'native',
    email: 'native@example.com',
    password: 'a-good-password-1',
  });
  const { id } = await parley.conversations.create();
  const conversation = parley.conversation(id);
  const sent = [];
  const reply = conversation.send('Hello!', {
    files: [{ uri, name: 'photo.png', type: 'image/png' }],
    onProgress: ([upload]) => sent.push(upload.sent),
  });
  const [file] = (await reply.accepted).user_message.files;
  if (file.name !== 'photo.png' || file.width !== 1 || sent.at(-1) !== file.bytes)
    throw new Error('The file failed.');
  const connection = parley.connection.getSnapshot();
  let text = '';
  for await (const piece of reply) text += piece;
  const { content, status } = await reply.done;
  parley.close();
  return connection === 'live' && text === content && status === 'complete';
}

globalThis.chat = chat;
