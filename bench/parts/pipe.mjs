/** Baseline: node:http pipes the provider's bytes to the client. */
import { createServer, request } from 'node:http';
import { Agent } from 'node:http';
import { ready } from '../support/part.mjs';

const agent = new Agent({ keepAlive: true });
const server = createServer((incoming, response) => {
  const options = { method: 'POST', agent, headers: { 'Content-Type': 'application/json' } };
  const upstream = request(`${process.env.PROVIDER_URL}/chat/completions`, options, (answer) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    answer.pipe(response);
  });
  incoming.pipe(upstream);
});
server.listen(0, '127.0.0.1', () => ready({ url: `http://127.0.0.1:${server.address().port}` }));
