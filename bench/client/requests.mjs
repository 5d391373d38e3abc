import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true });

/**
 * Sends requests with limited concurrency.
 * @returns milliseconds of each, in order
 */
export async function load({ requests, concurrency, expect = 200 }) {
  const times = new Array(requests.length);
  let next = 0;
  const worker = async () => {
    while (next < requests.length) {
      const index = next++;
      const start = performance.now();
      const { status, text } = await send(requests[index]);
      times[index] = performance.now() - start;
      if (status !== expect) throw new Error(`${requests[index].url} answered ${status}: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return times;
}

function send({ url, token, body }) {
  const headers = {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(body && { 'Content-Type': 'application/json' }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: body ? 'POST' : 'GET', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    outgoing.on('error', reject);
    outgoing.end(body && JSON.stringify(body));
  });
}
