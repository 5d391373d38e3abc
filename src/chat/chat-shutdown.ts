import { BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { Settings } from '../env/settings.js';
import { ChatSockets } from './transports/socket-io/chat-sockets.js';
import { ReplyAnswers } from './transports/http/reply-answers.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { WebSocketClients } from './transports/websocket/websocket-clients.js';

/** Running replies get their grace, what is left keeps its text; then clients are sent to come back elsewhere. */
@Injectable()
export class ChatShutdown implements BeforeApplicationShutdown {
  constructor(
    private readonly settings: Settings,
    private readonly engine: ReplyEngine,
    private readonly answers: ReplyAnswers,
    private readonly sockets: ChatSockets,
    private readonly webSockets: WebSocketClients,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.engine.drain(this.settings.shutdownGraceSeconds);
    this.answers.endAll();
    this.sockets.closeAll();
    this.webSockets.closeAll();
  }
}
