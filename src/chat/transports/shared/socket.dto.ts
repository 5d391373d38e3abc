import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { IsOptionalNotNull } from '../../../common/validation/optional.decorator.js';
import { MessageDto } from '../../../conversations/messages/message.dto.js';
import { EditMessageDto, RegenerateDto, SendMessageDto } from '../../chat.dto.js';

/** Bodies of socket commands. */
export class ConversationRefDto {
  @ApiProperty({ type: 'integer', example: 3 })
  @Min(1)
  @IsInt()
  conversation_id!: number;
}

export class MessageRefDto extends ConversationRefDto {
  @ApiProperty({ type: 'integer', example: 12 })
  @Min(1)
  @IsInt()
  message_id!: number;
}

export class OpenConversationDto extends ConversationRefDto {
  /** Messages of the acknowledgement, the newest. */
  @ApiPropertyOptional({ type: 'integer', default: 50, example: 50 })
  @IsOptionalNotNull()
  @Min(1)
  @Max(200)
  @IsInt()
  limit?: number;
}

export class SocketSendDto extends IntersectionType(ConversationRefDto, SendMessageDto) {}

export class SocketRegenerateDto extends IntersectionType(MessageRefDto, RegenerateDto) {}

export class SocketEditDto extends IntersectionType(MessageRefDto, EditMessageDto) {}

export class TokenDto {
  /** An access token. */
  @ApiProperty({ example: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln' })
  @MaxLength(8192)
  @IsString()
  token!: string;
}

/** Acknowledgement of `conversation.close`. */
export class EmptyDto {}

/** Acknowledgement of `chat.stop`. */
export class StoppedReplyDto {
  @ApiProperty({ type: () => MessageDto })
  assistant_message!: MessageDto;
}

/** Acknowledgement of `auth.refresh`. */
export class TokenExpiryDto {
  @ApiProperty({ format: 'date-time', example: '2026-01-31T10:30:00.000Z' })
  expires_at!: string;
}
