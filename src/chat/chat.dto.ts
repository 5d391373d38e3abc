import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsUUID, Min } from 'class-validator';
import { IsOptionalNotNull } from '../common/validation/optional.decorator.js';
import { EmptyIsAbsent } from '../common/validation/query.decorators.js';
import { IsText } from '../common/validation/text.decorator.js';
import { MessageDto } from '../conversations/messages/message.dto.js';

export const CONTENT_LIMITS = { min: 1, max: 100_000, notBlank: true };

export class RegenerateDto {
  /** The model configuration that answers this once; absent, the conversation's, or the default. */
  @ApiPropertyOptional({ example: 1, type: 'integer' })
  @IsOptionalNotNull()
  @IsInt()
  @Min(1)
  config_id?: number;
}

export class EditMessageDto {
  @ApiProperty({ example: 'What is a monad, in one sentence?' })
  @IsText(CONTENT_LIMITS)
  content!: string;

  /** A UUID of the client's: the same one never makes a second message or a second call of the provider. */
  @ApiPropertyOptional({ example: '0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7aa', format: 'uuid' })
  @IsOptionalNotNull()
  @IsUUID()
  client_message_id?: string;
}

export class SendMessageDto extends EditMessageDto {
  /** The model configuration that answers this once; absent, the conversation's, or the default. */
  @ApiPropertyOptional({ example: 1, type: 'integer' })
  @IsOptionalNotNull()
  @IsInt()
  @Min(1)
  config_id?: number;
}

/** A message and its reply. */
export class TurnDto {
  @ApiProperty({ type: () => MessageDto })
  user_message!: MessageDto;

  @ApiProperty({ type: () => MessageDto })
  assistant_message!: MessageDto;
}

export class EventsQuery {
  /** From `POST /auth/stream-ticket`, in place of the Authorization header. */
  @ApiPropertyOptional({ example: 'x0Yq7cT3vN2bKpE9sLwR5mUaJ8dFhG1iZ4oXtPnQyVk' })
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsText({ max: 64 })
  ticket?: string;
}
