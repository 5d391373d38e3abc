import { Logger } from '@nestjs/common';
import { publishMeasurement } from '../../common/logging/measurements.js';
import { annotateSpan } from '../../common/tracing/tracing.js';
import type { MessageDto } from '../../conversations/messages/message.dto.js';

const logger = new Logger('Replies');

/** Counts and logs a reply's end, without any of its text. */
export function recordReplyEnd(message: MessageDto, userId: number): void {
  publishMeasurement('reply.ended', { status: message.status });
  annotateSpan({ 'parley.reply.status': message.status, 'error.type': message.error?.code });
  const { usage, completed_at, created_at } = message;
  const fields = {
    message_id: message.id,
    conversation_id: message.conversation_id,
    user_id: userId,
    status: message.status,
    code: message.error?.code,
    duration_ms: Date.parse(completed_at!) - Date.parse(created_at),
    prompt_tokens: usage?.prompt_tokens,
    completion_tokens: usage?.completion_tokens,
    tokens_estimated: usage?.estimated,
  };
  logger.log(fields, 'Reply ended');
}
