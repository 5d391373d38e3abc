import { connect } from 'node:net';
import { within } from './event-log.js';

interface RawOptions {
  /** Leaves once this has come; else the server has to close the connection. */
  until?: RegExp;
}

/** Sends bytes as they are, as no HTTP client would, and resolves with all that comes back until the server closes. */
export function sendRaw(
  url: string,
  bytes: string,
  timeoutMs?: number,
  { until }: RawOptions = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  const answer = new Promise<string>((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (data) => {
      received += data.toString();
      if (until?.test(received)) socket.destroy();
    });
    socket.on('error', reject).on('close', () => resolve(received));
  });
  return within(answer, 'The server did not close the connection', timeoutMs);
}
