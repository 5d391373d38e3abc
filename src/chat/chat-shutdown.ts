import { BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { Settings } from '../env/settings.js';
import { SocketLifecycle } from './transports/socket-io/socket-lifecycle.js';
import { ReplyResponder } from './transports/http/reply-responder.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { WebSocketClients } from './transports/websocket/websocket-clients.js';

/** Waits for replies to end within the grace, interrupts the rest, and closes connections: clients reconnect elsewhere. */
@Injectable()
export class ChatShutdown implements BeforeApplicationShutdown {
  constructor(
    private readonly settings: Settings,
    private readonly engine: ReplyEngine,
    private readonly responder: ReplyResponder,
    private readonly lifecycle: SocketLifecycle,
    private readonly webSockets: WebSocketClients,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.engine.drain(this.settings.shutdownGraceSeconds);
    this.responder.endAll();
    this.lifecycle.closeAll();
    this.webSockets.closeAll();
  }
}
