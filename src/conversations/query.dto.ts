import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptionalNotNull } from '../common/validation/optional.decorator.js';
import { EmptyIsAbsent, QueryBoolean, QueryInteger } from '../common/validation/query.decorators.js';
import { IsText } from '../common/validation/text.decorator.js';
import { ConversationDto } from './conversation.dto.js';
import { MessageDto } from './messages/message.dto.js';

export class ListConversationsQuery {
  @QueryInteger({ min: 1, max: 100, default: 20, description: 'The most conversations to return.' })
  limit = 20;

  @QueryInteger({
    min: 0,
    default: 0,
    description: 'How many conversations to skip; `cursor` is better for paging.',
  })
  offset = 0;

  /** The `next_cursor` of the previous page, instead of an offset: no conversation is repeated or skipped. */
  @ApiPropertyOptional()
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsText({ max: 2048 })
  cursor?: string;

  /** Text in the title, matched as in a search. */
  @ApiPropertyOptional()
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsText({ max: 200 })
  q?: string;

  @QueryBoolean({ description: 'True lists archived conversations, false (the default) the others.' })
  archived?: boolean;
}

export class PageQuery {
  @QueryInteger({ min: 1, max: 200, default: 50, description: 'The most messages to return.' })
  limit = 50;

  @QueryInteger({ min: 1, description: 'Only messages older than this one.' })
  before_id?: number;
}

export class SearchQuery {
  /** Text to find. Case, Unicode composition, width and invisible characters are ignored; accents are not. */
  @ApiProperty({ example: 'temple' })
  @IsText({ min: 1, max: 200, visible: true })
  q!: string;

  @QueryInteger({ min: 1, max: 100, default: 20, description: 'The most results to return.' })
  limit = 20;

  @QueryInteger({
    min: 1,
    description: 'Only messages older than this one: the last message of the page before.',
  })
  before_id?: number;
}

/** A title, with `message` null, or a message that contains the text. */
export class SearchResultDto {
  @ApiProperty({ type: () => ConversationDto })
  conversation!: ConversationDto;

  @ApiProperty({ type: () => MessageDto, nullable: true })
  message!: MessageDto | null;

  /** About 160 characters of the message around the text, or the title. */
  @ApiProperty({ example: 'The Golden Temple is best seen in the morning' })
  snippet!: string;
}

export class SearchResultsDto {
  @ApiProperty({ type: () => [SearchResultDto] })
  results!: SearchResultDto[];

  @ApiProperty({ example: false })
  has_more!: boolean;
}
