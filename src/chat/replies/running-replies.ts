import { Injectable } from '@nestjs/common';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { RunningReplies } from '../../conversations/running-replies.js';
import { ReplyEngine } from './reply-engine.js';
import { ReplyStopper } from './reply-stopper.js';

/** Tells ConversationsModule, which lies below, of the replies that run. */
@Injectable()
export class EngineReplies extends RunningReplies {
  constructor(
    private readonly engine: ReplyEngine,
    private readonly stopper: ReplyStopper,
  ) {
    super();
  }

  override overlay(message: MessageDto): MessageDto {
    return this.engine.find(message.id)?.snapshot() ?? message;
  }

  override async stopIn(conversationId: number): Promise<void> {
    await this.stopper.stopIn(conversationId);
  }
}
