import { Injectable } from '@nestjs/common';
import type { PromptMessage } from '../../ai/provider/provider.js';
import { countTokens } from '../../ai/tokenizer/tokenizer.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { MessagesService } from '../../conversations/messages/messages.service.js';

/** Messages a read: few, as each may be long. */
const PAGE = 20;
/** What is longer is read by itself, once it is its turn: it may be megabytes. */
const SHORT_CONTENT = 'CASE WHEN OCTET_LENGTH(message.content) <= 65536 THEN message.content END';

interface PromptRow {
  id: number | string;
  role: MessageDto['role'];
  content: string | null;
}

/** What a chat message costs beside its text, generously: OpenAI's models take 3 and a name. */
export const TOKENS_A_MESSAGE = 5;
/** Kept free for a reply whose length the params do not bound, at most a quarter of the context. */
const REPLY_TOKENS = 4096;

/** What a provider is sent: the system prompt, and as much of the newest conversation as fits its context. */
@Injectable()
export class PromptService {
  constructor(private readonly messages: MessagesService) {}

  /**
   * @param question the user message to be answered, on the active branch: it is sent in any case
   * @param contextTokens of prompt and reply together
   */
  async build(
    conversation: Conversation,
    question: MessageDto,
    contextTokens: number,
    params: Record<string, unknown>,
  ): Promise<PromptMessage[]> {
    const { systemPrompt } = conversation;
    const system: PromptMessage[] =
      systemPrompt && !isBlank(systemPrompt) ? [{ role: 'system', content: systemPrompt }] : [];
    const room = new Room(contextTokens - replyTokens(contextTokens, params));
    for (const message of system) await room.take(message);
    const newest: PromptMessage[] = [];
    for await (const { role, content } of this.upwards(question)) {
      if (isBlank(content)) continue;
      const message = { role, content };
      if (!(await room.take(message)) && newest.length > 0) break;
      newest.push(message);
    }
    // A prompt that was cut begins with somebody asking: some providers insist on it.
    while (newest.at(-1)?.role === 'assistant') newest.pop();
    return [...system, ...joinNeighbours(newest.reverse())];
  }

  /** The active branch from a message upwards, without loading more than is asked for. */
  private async *upwards(last: MessageDto): AsyncGenerator<Pick<MessageDto, 'role' | 'content'>> {
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
 * Counts down a budget of tokens. No token is shorter than a byte, so that messages are first taken at their
 * bytes, which is cheap, and tokenized only when that bound no longer fits.
 */
class Room {
  private bound = 0;
  private unsure: PromptMessage[] = [];

  constructor(private readonly budget: number) {}

  /** @returns false where it does not fit; then nothing is taken */
  async take(message: PromptMessage): Promise<boolean> {
    const bound = Buffer.byteLength(message.content) + TOKENS_A_MESSAGE;
    if (this.bound + bound <= this.budget) {
      this.bound += bound;
      this.unsure.push(message);
      return true;
    }
    await this.tokenize();
    const tokens = await tokensOf(message);
    if (this.bound + tokens > this.budget) return false;
    this.bound += tokens;
    return true;
  }

  /** Replaces the bounds taken so far with counts. */
  private async tokenize(): Promise<void> {
    for (const message of this.unsure) {
      this.bound += (await tokensOf(message)) - Buffer.byteLength(message.content) - TOKENS_A_MESSAGE;
    }
    this.unsure = [];
  }
}

/** Some providers refuse a message without text. */
function isBlank(content: string): boolean {
  return content.trim() === '';
}

/** Messages of one role that follow each other become one: some providers insist that roles alternate. */
function joinNeighbours(messages: PromptMessage[]): PromptMessage[] {
  const joined: PromptMessage[] = [];
  for (const { role, content } of messages) {
    const last = joined.at(-1);
    if (last?.role === role) last.content += `\n\n${content}`;
    else joined.push({ role, content });
  }
  return joined;
}

async function tokensOf({ content }: PromptMessage): Promise<number> {
  const [count] = await countTokens([content]);
  return count! + TOKENS_A_MESSAGE;
}

function replyTokens(contextTokens: number, params: Record<string, unknown>): number {
  const asked = params.max_completion_tokens ?? params.max_tokens;
  if (typeof asked === 'number') return asked;
  return Math.min(REPLY_TOKENS, Math.floor(contextTokens / 4));
}
