import { ApiProperty } from '@nestjs/swagger';
import { ConfigDto } from '../../configs/config.dto.js';
import { ConversationDto } from '../../conversations/conversation.dto.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import type { ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';

/** Body of `message.created`, `message.completed` and `message.restarted`. */
export class MessageEventDto {
  @ApiProperty({ type: 'integer', example: 3 })
  conversation_id!: number;

  @ApiProperty({ type: () => MessageDto })
  message!: MessageDto;
}

export class MessageDeltaDto {
  @ApiProperty({ type: 'integer', example: 3 })
  conversation_id!: number;

  @ApiProperty({ type: 'integer', example: 12 })
  message_id!: number;

  @ApiProperty({ enum: ['content', 'reasoning'], enumName: 'MessagePart', example: 'content' })
  part!: ReplyPart;

  /** Where `text` starts in its part, in UTF-16 code units. */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  offset!: number;

  @ApiProperty({ example: 'A monad is' })
  text!: string;
}

/** Body of `conversation.created` and `conversation.updated`. */
export class ConversationEventDto {
  @ApiProperty({ type: () => ConversationDto })
  conversation!: ConversationDto;
}

export class ConversationDeletedDto {
  @ApiProperty({ type: 'integer', example: 3 })
  conversation_id!: number;
}

export class ConfigChangedDto {
  /** All configurations of the user. */
  @ApiProperty({ type: () => [ConfigDto] })
  configs!: ConfigDto[];
}

export class SessionExpiringDto {
  @ApiProperty({ format: 'date-time', example: '2026-01-31T10:30:00.000Z' })
  expires_at!: string;
}
