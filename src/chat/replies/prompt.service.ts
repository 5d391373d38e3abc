import { Injectable } from '@nestjs/common';
import type { PromptMessage } from '../../ai/provider/provider.js';
import { countTokens } from '../../ai/tokenizer/tokenizer.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { MessagesService } from '../../conversations/messages/messages.service.js';
import { TOKENS_PER_MESSAGE } from '../../usage/estimated-usage.js';

/** Messages per read. */
const PAGE = 20;
/** Longer content is read separately, when it is needed. */
const SHORT_CONTENT = 'CASE WHEN OCTET_LENGTH(message.content) <= 65536 THEN message.content END';

interface PromptRow {
  id: number | string;
  role: MessageDto['role'];
  content: string | null;
}

/** Reserved for a reply without `max_tokens`, up to a quarter of the context. */
const REPLY_TOKENS = 4096;

/** Builds prompts: the system prompt and as many of the newest messages as fit the context. */
@Injectable()
export class PromptService {
  constructor(private readonly messages: MessagesService) {}

  /**
   * @param userMessage the message to answer, on the active branch; included even if it does not fit
   * @param contextTokens of prompt and reply together
   */
  async build(
    conversation: Conversation,
    userMessage: MessageDto,
    contextTokens: number,
    params: Record<string, unknown>,
  ): Promise<PromptMessage[]> {
    const { systemPrompt } = conversation;
    const system: PromptMessage[] =
      systemPrompt && !isBlank(systemPrompt) ? [{ role: 'system', content: systemPrompt }] : [];
    const budget = new TokenBudget(contextTokens - replyTokens(contextTokens, params));
    for (const message of system) await budget.take(message);
    const newest = await this.takeNewest(userMessage, budget);
    return [...system, ...joinSameRoles(newest.reverse())];
  }

  /** @returns the messages that fit, newest first */
  private async takeNewest(userMessage: MessageDto, budget: TokenBudget): Promise<PromptMessage[]> {
    const newest: PromptMessage[] = [];
    for await (const { role, content } of this.branchUp(userMessage)) {
      if (isBlank(content)) continue;
      const message = { role, content };
      if (!(await budget.take(message)) && newest.length > 0) break;
      newest.push(message);
    }
    // Some providers require that the first message is the user's.
    while (newest.at(-1)?.role === 'assistant') newest.pop();
    return newest;
  }

  /** Reads the active branch from a message up to the root, page by page. */
  private async *branchUp(last: MessageDto): AsyncGenerator<Pick<MessageDto, 'role' | 'content'>> {
    yield last;
    if (last.parent_id === null) return;
    for (let beforeId = last.id; ;) {
      const page = await this.messages
        .queryPage(last.conversation_id, { limit: PAGE, beforeId })
        .select('message.id', 'id')
        .addSelect('message.role', 'role')
        .addSelect(SHORT_CONTENT, 'content')
        .getRawMany<PromptRow>();
      for (const { id, role, content } of page)
        yield { role, content: content ?? (await this.messages.readContent(Number(id))) };
      if (page.length < PAGE) return;
      beforeId = Number(page.at(-1)!.id);
    }
  }
}

/**
 * Counts down a budget of tokens. A token has at least one byte, so messages are first counted by their bytes, and
 * tokenized only when that bound exceeds the budget.
 */
class TokenBudget {
  private used = 0;
  /** Messages that `used` counts by their bytes. */
  private bounded: PromptMessage[] = [];

  constructor(private readonly tokens: number) {}

  /** @returns false, taking nothing, if the message does not fit */
  async take(message: PromptMessage): Promise<boolean> {
    const bound = upperBoundOf(message);
    if (this.used + bound <= this.tokens) {
      this.used += bound;
      this.bounded.push(message);
      return true;
    }
    await this.tokenize();
    const tokens = await tokensOf(message);
    if (this.used + tokens > this.tokens) return false;
    this.used += tokens;
    return true;
  }

  /** Replaces bounds with token counts. */
  private async tokenize(): Promise<void> {
    for (const message of this.bounded) this.used += (await tokensOf(message)) - upperBoundOf(message);
    this.bounded = [];
  }
}

function upperBoundOf({ content }: PromptMessage): number {
  return Buffer.byteLength(content) + TOKENS_PER_MESSAGE;
}

async function tokensOf({ content }: PromptMessage): Promise<number> {
  const [count] = await countTokens([content]);
  return count! + TOKENS_PER_MESSAGE;
}

/** Some providers reject messages without text. */
function isBlank(content: string): boolean {
  return content.trim() === '';
}

/** Joins consecutive messages of one role, because some providers require alternating roles. */
function joinSameRoles(messages: PromptMessage[]): PromptMessage[] {
  const joined: PromptMessage[] = [];
  for (const { role, content } of messages) {
    const last = joined.at(-1);
    if (last?.role === role) last.content += `\n\n${content}`;
    else joined.push({ role, content });
  }
  return joined;
}

function replyTokens(contextTokens: number, params: Record<string, unknown>): number {
  const requested = params.max_completion_tokens ?? params.max_tokens;
  if (typeof requested === 'number') return requested;
  return Math.min(REPLY_TOKENS, Math.floor(contextTokens / 4));
}
