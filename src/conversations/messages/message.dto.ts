import { ApiProperty } from '@nestjs/swagger';
import { StoredFileDto } from '../../files/file.dto.js';
import type { Message, MessageRole, MessageStatus } from './message.entity.js';

/** Token counts of a reply. */
export class UsageDto {
  @ApiProperty({ type: 'integer', example: 24 })
  prompt_tokens!: number;

  @ApiProperty({ type: 'integer', example: 312 })
  completion_tokens!: number;

  @ApiProperty({ type: 'integer', example: 336 })
  total_tokens!: number;

  /** Whether the server counted the tokens, because the provider reported none. */
  @ApiProperty({ example: false })
  estimated!: boolean;
}

/** Why a reply failed. */
export class ReplyErrorDto {
  @ApiProperty({ example: 'upstream_rate_limited' })
  code!: string;

  /** A sentence for people: the provider's, if it sent one. */
  @ApiProperty({ example: 'Rate limit reached for requests.' })
  detail!: string;
}

/** A web page that a reply cites. */
export class SourceDto {
  @ApiProperty({ format: 'uri', example: 'https://example.com/monads' })
  url!: string;

  @ApiProperty({ type: 'string', nullable: true, example: 'Monads, explained' })
  title!: string | null;
}

/** A user's message or a reply. */
export class MessageDto {
  @ApiProperty({ type: 'integer', example: 12 })
  id!: number;

  @ApiProperty({ type: 'integer', example: 3 })
  conversation_id!: number;

  /** The id of the preceding message; null for the first. */
  @ApiProperty({ type: 'integer', nullable: true, example: 11 })
  parent_id!: number | null;

  @ApiProperty({ enum: ['user', 'assistant'], enumName: 'MessageRole', example: 'assistant' })
  role!: MessageRole;

  @ApiProperty({ example: 'A monad is a monoid in the category of endofunctors.' })
  content!: string;

  /** The reasoning of a reasoning model, separate from its answer. */
  @ApiProperty({ example: '' })
  reasoning!: string;

  @ApiProperty({
    enum: ['streaming', 'complete', 'stopped', 'failed', 'interrupted'],
    enumName: 'MessageStatus',
    example: 'complete',
  })
  status!: MessageStatus;

  /** The provider's finish reason, such as `stop` or `length`. */
  @ApiProperty({ type: 'string', nullable: true, example: 'stop' })
  finish_reason!: string | null;

  @ApiProperty({ type: () => ReplyErrorDto, nullable: true, example: null })
  error!: ReplyErrorDto | null;

  @ApiProperty({ type: 'string', nullable: true, example: 'gpt-4.1-mini' })
  model_name!: string | null;

  @ApiProperty({ type: () => UsageDto, nullable: true })
  usage!: UsageDto | null;

  /** In the order in which they were sent; empty for a reply. */
  @ApiProperty({ type: () => [StoredFileDto] })
  files!: StoredFileDto[];

  /** Sources cited by a provider that searches the web, in order of appearance. */
  @ApiProperty({ type: () => [SourceDto], example: [] })
  sources!: SourceDto[];

  @ApiProperty({
    type: 'string',
    format: 'uuid',
    nullable: true,
    example: '0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7aa',
  })
  client_message_id!: string | null;

  /** Ids of all alternatives to this message (edits, regenerated replies), itself included, oldest first. */
  @ApiProperty({ type: 'array', items: { type: 'integer' }, example: [12] })
  sibling_ids!: number[];

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: '2026-01-31T09:30:04.200Z' })
  completed_at!: string | null;

  static from(message: Message, siblingIds: number[], files: StoredFileDto[] = []): MessageDto {
    return Object.assign(new MessageDto(), {
      id: message.id,
      conversation_id: message.conversationId,
      parent_id: message.parentId,
      role: message.role,
      content: message.content,
      reasoning: message.reasoning,
      status: message.status,
      finish_reason: message.finishReason,
      error: errorOf(message),
      model_name: message.modelName,
      usage: usageOf(message),
      files,
      sources: message.sources ?? [],
      client_message_id: message.clientMessageSpelling ?? message.clientMessageId,
      sibling_ids: siblingIds,
      created_at: message.createdAt.toISOString(),
      completed_at: message.completedAt?.toISOString() ?? null,
    } satisfies MessageDto);
  }
}

function errorOf({ errorCode, errorDetail }: Message): ReplyErrorDto | null {
  return errorCode === null ? null : { code: errorCode, detail: errorDetail ?? '' };
}

function usageOf(message: Message): UsageDto | null {
  if (message.usageEstimated === null) return null;
  return {
    prompt_tokens: message.promptTokens ?? 0,
    completion_tokens: message.completionTokens ?? 0,
    total_tokens: message.totalTokens ?? 0,
    estimated: message.usageEstimated,
  };
}
