import { Injectable } from '@nestjs/common';
import { SocketLifecycle } from './transports/socket-io/socket-lifecycle.js';
import { ReplyResponder } from './transports/http/reply-responder.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { ReplyWriteBuffer } from './replies/reply-write-buffer.js';
import { WebSocketClients } from './transports/websocket/websocket-clients.js';

/** Current load of this node. */
@Injectable()
export class ChatLoad {
  constructor(
    private readonly engine: ReplyEngine,
    private readonly writeBuffer: ReplyWriteBuffer,
    private readonly lifecycle: SocketLifecycle,
    private readonly webSockets: WebSocketClients,
    private readonly responder: ReplyResponder,
  ) {}

  get runningReplies(): number {
    return this.engine.all().length - this.writeBuffer.endsWaiting;
  }

  /** Replies that have ended but whose end is not stored yet. */
  get endsWaiting(): number {
    return this.writeBuffer.endsWaiting;
  }

  /** UTF-16 code units. */
  get unsavedLength(): number {
    return this.writeBuffer.unsavedLength;
  }

  /** Upper bound of the age of the oldest unsaved text. */
  get unsavedSeconds(): number {
    return this.writeBuffer.unsavedMs / 1000;
  }

  get connections(): Record<'socketio' | 'websocket' | 'sse', number> {
    return {
      socketio: this.lifecycle.count,
      websocket: this.webSockets.count,
      sse: this.responder.streamCount,
    };
  }
}
