import { Logger } from '@nestjs/common';
import type { MessageDto } from '../conversations/message.dto.js';

const logger = new Logger('Replies');

/** One line for each reply's end, without a word of it. */
export function logReplyEnd(message: MessageDto, userId: number): void {
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
