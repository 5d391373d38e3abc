import { connect } from 'node:net';
import { within } from './event-log.js';

/** Sends bytes as they are, as no HTTP client would, and resolves with all that comes back until the server closes. */
export function sendRaw(url: string, bytes: string, timeoutMs?: number): Promise<string> {
  const { hostname, port } = new URL(url);
  const answer = new Promise<string>((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (data) => (received += data.toString()));
    socket.on('error', reject).on('close', () => resolve(received));
  });
  return within(answer, 'The server did not close the connection', timeoutMs);
}
