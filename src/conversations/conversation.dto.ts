import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsOptional, Max, Min } from 'class-validator';
import { firstFitting, jsonSize, MAX_PAGE_BYTES } from '../common/json/json-size.js';
import { IsModelParams, ModelParams, withStopList } from '../common/validation/model-params.dto.js';
import { IsOptionalNotNull } from '../common/validation/optional.decorator.js';
import { IsLabel, IsText } from '../common/validation/text.decorator.js';
import type { Conversation, TitleSource } from './conversation.entity.js';
import { MessageDto } from './messages/message.dto.js';

const MAX_TITLE_CHARACTERS = 200;
const MAX_SYSTEM_PROMPT_CHARACTERS = 100_000;

export class CreateConversationDto {
  /** A title set here is never overwritten. Directional controls (U+202A–202E, U+2066–2069) are removed. */
  @ApiPropertyOptional({ example: 'Trip to Kyoto' })
  @IsOptionalNotNull()
  @IsLabel(MAX_TITLE_CHARACTERS)
  title?: string;

  /** The id of the model configuration; null for the default. */
  @ApiPropertyOptional({ type: 'integer', nullable: true })
  @IsOptional()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  @IsInt()
  config_id?: number | null;

  /** Sent before the messages with every request to the model. */
  @ApiPropertyOptional({
    type: 'string',
    nullable: true,
    example: 'Answer briefly.',
  })
  @IsOptional()
  @IsText({ max: MAX_SYSTEM_PROMPT_CHARACTERS })
  system_prompt?: string | null;

  /** Override the configuration's parameters. */
  @IsModelParams()
  params?: ModelParams;
}

export class UpdateConversationDto extends CreateConversationDto {
  /** Pinned conversations are listed first. */
  @ApiPropertyOptional({ type: 'boolean', example: true })
  @IsOptionalNotNull()
  @IsBoolean()
  pinned?: boolean;

  /** Archived conversations are listed separately. */
  @ApiPropertyOptional({ type: 'boolean', example: false })
  @IsOptionalNotNull()
  @IsBoolean()
  archived?: boolean;
}

export class ConversationDto {
  @ApiProperty({ type: 'integer', example: 3 })
  id!: number;

  @ApiProperty({ example: 'Trip to Kyoto' })
  title!: string;

  /** Origin of the title: the first words of the first message (`default`), the model (`auto`) or the user. */
  @ApiProperty({ enum: ['default', 'auto', 'user'], enumName: 'TitleSource', example: 'auto' })
  title_source!: TitleSource;

  @ApiProperty({ type: 'integer', nullable: true, example: 1 })
  config_id!: number | null;

  @ApiProperty({ type: 'string', nullable: true, example: null })
  system_prompt!: string | null;

  @ApiProperty({ type: () => ModelParams, example: {} })
  params!: ModelParams;

  @ApiProperty({ example: false })
  pinned!: boolean;

  @ApiProperty({ example: false })
  archived!: boolean;

  /** Messages of all branches. */
  @ApiProperty({ type: 'integer', example: 2 })
  message_count!: number;

  /** The last message of the active branch. */
  @ApiProperty({ type: 'integer', nullable: true, example: 12 })
  active_message_id!: number | null;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  /** Time of the last message, by which conversations are sorted. Renaming, pinning and other changes do not count. */
  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:04.200Z' })
  updated_at!: string;

  static from(conversation: Conversation): ConversationDto {
    return Object.assign(new ConversationDto(), fieldsOf(conversation));
  }
}

/** A conversation with one page of its active branch. */
export class ConversationPageDto extends ConversationDto {
  /** Oldest first. */
  @ApiProperty({ type: () => [MessageDto] })
  messages!: MessageDto[];

  /** Whether older messages exist; pass the first message's id as `before_id` to read them. */
  @ApiProperty({ example: false })
  has_more!: boolean;

  static of(conversation: Conversation, messages: MessageDto[], hasMore: boolean): ConversationPageDto {
    const page = { messages, has_more: hasMore };
    return Object.assign(new ConversationPageDto(), fieldsOf(conversation), page).trim();
  }

  /** Replaces messages, such as running replies, by their current state. */
  update(current: (message: MessageDto) => MessageDto): this {
    const messages = this.messages.map(current);
    const isSame = messages.every((message, index) => message === this.messages[index]);
    return isSame ? this : Object.assign(this, { messages }).trim();
  }

  /** Omits the oldest messages if all of them exceed the page. */
  private trim(): this {
    const room = MAX_PAGE_BYTES - jsonSize({ ...this, messages: [] });
    const messages = firstFitting(this.messages.toReversed(), room).reverse();
    const has_more = this.has_more || messages.length < this.messages.length;
    return Object.assign(this, { messages, has_more });
  }
}

export class ConversationListDto {
  @ApiProperty({ type: () => [ConversationDto] })
  conversations!: ConversationDto[];

  /** Conversations on all pages. */
  @ApiProperty({ type: 'integer', example: 1 })
  total!: number;

  @ApiProperty({ type: 'integer', format: 'int32', example: 20 })
  limit!: number;

  @ApiProperty({ type: 'integer', example: 0 })
  offset!: number;

  /** The `cursor` of the next page; null on the last one. */
  @ApiProperty({ type: 'string', nullable: true, example: null })
  next_cursor!: string | null;
}

function fieldsOf(conversation: Conversation): ConversationDto {
  return {
    id: conversation.id,
    title: conversation.title,
    title_source: conversation.titleSource,
    config_id: conversation.configId,
    system_prompt: conversation.systemPrompt,
    params: withStopList(conversation.params),
    pinned: conversation.pinned,
    archived: conversation.archived,
    message_count: conversation.messageCount,
    active_message_id: conversation.activeMessageId,
    created_at: conversation.createdAt.toISOString(),
    updated_at: conversation.updatedAt.toISOString(),
  };
}
