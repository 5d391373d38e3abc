/** Baseline: socket.io and the openai package, one event per token. */
import { OpenAI } from 'openai';
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { ready } from '../support/part.mjs';

const openai = new OpenAI({ baseURL: process.env.PROVIDER_URL, apiKey: 'none', logLevel: 'off' });
const http = createServer();
new Server(http).on('connection', (socket) => {
  socket.on('chat', async ({ model, content }) => {
    const messages = [{ role: 'user', content }];
    const stream = await openai.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of stream) socket.emit('token', chunk.choices[0]?.delta?.content ?? '');
    socket.emit('done');
  });
});
http.listen(0, '127.0.0.1', () => ready({ url: `http://127.0.0.1:${http.address().port}` }));
