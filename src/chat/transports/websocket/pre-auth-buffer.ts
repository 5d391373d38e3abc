import { once } from 'node:events';
import type { RawData, WebSocket } from 'ws';
import { ProblemError, UnauthenticatedError } from '../../../common/errors/errors.js';
import { CLOSE_CODES } from './websocket-client.js';
import { MAX_FRAME_BYTES } from '../shared/socket-limits.js';

const TOKEN_WAIT_MS = 5000;
/** Frames before authentication. */
const MAX_EARLY_FRAMES = 50;

export class NoTokenError extends ProblemError {
  constructor() {
    super(401, 'unauthenticated', 'No token came in time.');
  }
}

type Receiver = (frame: RawData, isBinary: boolean) => void;

/** Buffers frames that a client sends before it is authenticated, in order. */
export class PreAuthBuffer {
  private frames: [RawData, boolean][] = [];
  private bytes = 0;
  private receive: Receiver = (frame, isBinary) => this.keep(frame, isBinary);

  constructor(private readonly socket: WebSocket) {
    socket.on('message', (frame, isBinary) => this.receive(frame, isBinary));
  }

  /** Resolves to the token of the first frame. */
  async token(): Promise<string> {
    if (this.frames.length === 0) await this.firstFrame();
    const [frame, isBinary] = this.frames.shift()!;
    const token = isBinary ? null : tokenIn(String(frame));
    if (token) return token;
    throw new UnauthenticatedError('unauthenticated', 'The first frame must be {"type": "auth", "token"}.');
  }

  handOver(receive: Receiver): void {
    this.receive = receive;
    this.frames.forEach((frame) => receive(...frame));
    this.frames = [];
  }

  private async firstFrame(): Promise<void> {
    const signal = AbortSignal.timeout(TOKEN_WAIT_MS);
    await once(this.socket, 'message', { signal }).catch(() => undefined);
    if (this.frames.length === 0) throw new NoTokenError();
  }

  private keep(frame: RawData, isBinary: boolean): void {
    this.bytes += (frame as Buffer).length;
    if (this.bytes > MAX_FRAME_BYTES) return this.socket.close(CLOSE_CODES.tooLarge);
    if (this.frames.push([frame, isBinary]) > MAX_EARLY_FRAMES) this.socket.close(CLOSE_CODES.tooMuch);
  }
}

function tokenIn(text: string): string | null {
  try {
    const { type, token } = JSON.parse(text) as { type?: unknown; token?: unknown };
    return type === 'auth' && typeof token === 'string' ? token : null;
  } catch {
    return null;
  }
}
