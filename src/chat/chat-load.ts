import { Injectable } from '@nestjs/common';
import { ChatSockets } from './transports/socket-io/chat-sockets.js';
import { ReplyAnswers } from './transports/http/reply-answers.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { ReplyJournal } from './replies/reply-journal.js';
import { WebSocketClients } from './transports/websocket/websocket-clients.js';

/** What this node carries at the moment. */
@Injectable()
export class ChatLoad {
  constructor(
    private readonly engine: ReplyEngine,
    private readonly journal: ReplyJournal,
    private readonly sockets: ChatSockets,
    private readonly webSockets: WebSocketClients,
    private readonly answers: ReplyAnswers,
  ) {}

  get runningReplies(): number {
    return this.engine.all().length - this.journal.endsWaiting;
  }

  /** Replies whose end is not stored yet. */
  get endsWaiting(): number {
    return this.journal.endsWaiting;
  }

  /** UTF-16 code units. */
  get unsavedLength(): number {
    return this.journal.unsavedLength;
  }

  /** How long the oldest unsaved text has waited, at most. */
  get unsavedSeconds(): number {
    return this.journal.unsavedMs / 1000;
  }

  get connections(): Record<'socketio' | 'websocket' | 'sse', number> {
    return { socketio: this.sockets.count, websocket: this.webSockets.count, sse: this.answers.streamCount };
  }
}
