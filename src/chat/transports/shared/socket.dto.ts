import { IntersectionType } from '@nestjs/swagger';
import { IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { IsOptionalNotNull } from '../../../common/validation/optional.decorator.js';
import { EditMessageDto, RegenerateDto, SendMessageDto } from '../../chat.dto.js';

/** Bodies of socket commands (API.md 6). */
export class ConversationRefDto {
  @IsInt()
  @Min(1)
  conversation_id!: number;
}

export class MessageRefDto extends ConversationRefDto {
  @IsInt()
  @Min(1)
  message_id!: number;
}

export class OpenConversationDto extends ConversationRefDto {
  @IsOptionalNotNull()
  @IsInt()
  @Min(1)
  @Max(200)
  limit?: number;
}

export class SocketSendDto extends IntersectionType(ConversationRefDto, SendMessageDto) {}

export class SocketRegenerateDto extends IntersectionType(MessageRefDto, RegenerateDto) {}

export class SocketEditDto extends IntersectionType(MessageRefDto, EditMessageDto) {}

export class TokenDto {
  @IsString()
  @MaxLength(8192)
  token!: string;
}
