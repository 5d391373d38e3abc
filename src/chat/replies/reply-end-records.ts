import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { MessageSource, MessageStatus } from '../../conversations/messages/message.entity.js';
import { addUsage, type UsageEntry } from '../../usage/usage-rows.js';
import type { WebhookEvent } from '../../webhooks/webhook-event.js';
import { WebhookOutbox } from '../../webhooks/webhook-outbox.service.js';

/** Columns of an ended reply. */
export interface FinalReply {
  status: Exclude<MessageStatus, 'streaming'>;
  content: string;
  reasoning: string;
  finishReason: string | null;
  errorCode: string | null;
  errorDetail: string | null;
  promptTokens: number | null;
  completionTokens: number | null;
  totalTokens: number | null;
  usageEstimated: boolean | null;
  sources: MessageSource[] | null;
  completedAt: Date;
}

/** Identifies a reply that ends, and its model. */
export interface EndingReply {
  id: number;
  userId: number;
  conversationId: number;
  /** Null for the demo model. */
  configId: number | null;
  modelName: string | null;
}

/** Stores other rows in the transaction that ends a reply. */
@Injectable()
export class ReplyEndRecords {
  constructor(private readonly outbox: WebhookOutbox) {}

  /** Adds to the usage last, because other replies of the user wait for its row. */
  async store(manager: EntityManager, reply: EndingReply, final: FinalReply): Promise<void> {
    await this.outbox.add(manager, messageCompleted(reply, final));
    await addUsage(manager, usageOf(reply, final));
  }
}

function usageOf(
  { userId, modelName, configId }: EndingReply,
  { promptTokens, completionTokens, completedAt }: FinalReply,
): UsageEntry {
  return {
    userId,
    modelName: modelName ?? '',
    configId,
    replies: 1,
    promptTokens: promptTokens ?? 0,
    completionTokens: completionTokens ?? 0,
    endedAt: completedAt,
  };
}

function messageCompleted(reply: EndingReply, final: FinalReply): WebhookEvent {
  const usage = {
    prompt_tokens: final.promptTokens,
    completion_tokens: final.completionTokens,
    total_tokens: final.totalTokens,
    estimated: final.usageEstimated,
  };
  const data = {
    user_id: reply.userId,
    conversation_id: reply.conversationId,
    message_id: reply.id,
    status: final.status,
    finish_reason: final.finishReason,
    model_name: reply.modelName,
    usage: final.usageEstimated === null ? null : usage,
  };
  return { type: 'message.completed', timestamp: final.completedAt, data };
}
