import { Injectable } from '@nestjs/common';
import { publishMeasurement } from '../common/logging/measurements.js';
import { toProblemError } from '../common/errors/problem.js';
import { ConfigsService } from '../configs/configs.service.js';
import { EditMessageDto, RegenerateDto, SendMessageDto } from './chat.dto.js';
import { PendingTurns } from './turns/pending-turns.js';
import type { Turn, TurnRequest, UserText } from './turns/turn.js';
import { TurnStarter } from './turn-starter.service.js';
import { TurnsService } from './turns/turns.service.js';

/** Starts turns for all transports. Each returns when the turn is stored; its reply runs on its own. */
@Injectable()
export class ChatService {
  constructor(
    private readonly configs: ConfigsService,
    private readonly turns: TurnsService,
    private readonly pendingTurns: PendingTurns,
    private readonly starter: TurnStarter,
  ) {}

  /** Adds a message and its reply; a repeated send returns the first one's turn. */
  send(userId: number, conversationId: number, dto: SendMessageDto): Promise<Turn> {
    const text = { fileIds: [], ...toUserText(dto) };
    return this.start(userId, conversationId, { kind: 'send', ...text }, dto.config_id);
  }

  /** Adds another reply to the same user message and activates it. */
  regenerate(userId: number, conversationId: number, messageId: number, dto: RegenerateDto): Promise<Turn> {
    return this.start(userId, conversationId, { kind: 'regenerate', messageId }, dto.config_id);
  }

  /** Adds a changed user message beside the old one, with its reply, and activates them. */
  edit(userId: number, conversationId: number, messageId: number, dto: EditMessageDto): Promise<Turn> {
    return this.start(userId, conversationId, { kind: 'edit', messageId, ...toUserText(dto) });
  }

  private async start(
    userId: number,
    conversationId: number,
    request: TurnRequest,
    configId?: number,
  ): Promise<Turn> {
    try {
      return await this.findOrStart(userId, conversationId, request, configId);
    } catch (error) {
      publishMeasurement('send.refused', { code: toProblemError(error).code });
      throw error;
    }
  }

  /** Looks for a repeated send first, which needs no quota and no configuration. */
  private async findOrStart(
    userId: number,
    conversationId: number,
    request: TurnRequest,
    configId?: number,
  ): Promise<Turn> {
    const found = await this.configs.findForConversation(userId, conversationId);
    const clientMessageId = request.kind === 'regenerate' ? null : request.clientMessageId;
    for (;;) {
      const repeat = await this.turns.findRepeat(conversationId, request);
      if (repeat) return repeat;
      const pending = this.pendingTurns.findRepeated(conversationId, clientMessageId);
      if (!pending) break;
      await pending;
    }
    return this.pendingTurns.track(conversationId, clientMessageId, () =>
      this.starter.start({ userId, conversationId, request }, async () =>
        configId ? this.configs.resolve(userId, configId) : this.configs.resolveFound(userId, found),
      ),
    );
  }
}

function toUserText({ content, client_message_id: sent, file_ids: fileIds }: EditMessageDto): UserText {
  const clientMessageId = sent?.toLowerCase() ?? null;
  return {
    content,
    clientMessageId,
    clientMessageSpelling: sent === clientMessageId ? null : sent,
    ...(fileIds && { fileIds }),
  };
}
