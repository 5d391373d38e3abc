import { ApiProperty } from '@nestjs/swagger';
import { IdentityDto } from '../auth/identities/identity.dto.js';
import { SessionDto } from '../auth/sessions/session.dto.js';
import { UserDto } from '../auth/users/user.dto.js';
import { ConfigDto } from '../configs/config.dto.js';
import { ConversationDto } from '../conversations/conversation.dto.js';
import { StoredFileDto } from '../files/file.dto.js';
import { MessageDto } from '../conversations/messages/message.dto.js';

/** A conversation with the messages of all branches, oldest first. */
export class ExportedConversationDto extends ConversationDto {
  @ApiProperty({ type: () => [MessageDto] })
  messages!: MessageDto[];
}

/** Everything a user owns, without secrets. Written as a stream. */
export class ExportDto {
  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  exported_at!: string;

  @ApiProperty({ type: () => UserDto })
  user!: UserDto;

  @ApiProperty({ type: () => [SessionDto] })
  sessions!: SessionDto[];

  @ApiProperty({ type: () => [IdentityDto] })
  identities!: IdentityDto[];

  @ApiProperty({ type: () => [ConfigDto] })
  configs!: ConfigDto[];

  @ApiProperty({ type: () => [StoredFileDto] })
  files!: StoredFileDto[];

  @ApiProperty({ type: () => [ExportedConversationDto] })
  conversations!: ExportedConversationDto[];
}
