import { Injectable } from '@nestjs/common';
import { joinContents, type PromptPart } from '../../../ai/provider/prompt-content.js';
import type { PromptMessage } from '../../../ai/provider/provider.js';
import { ProblemError } from '../../../common/errors/errors.js';
import { Conversation } from '../../../conversations/conversation.entity.js';
import type { MessageDto } from '../../../conversations/messages/message.dto.js';
import type { StoredFile } from '../../../files/file.entity.js';
import { BranchReader } from './branch-reader.js';
import { isBlank, lineFor, mayFit, NewestMessages, textPart } from './newest-messages.js';
import { PromptFiles } from './prompt-files.service.js';
import { TokenBudget } from './token-budget.js';

/** Reserved for a reply without `max_tokens`, up to a quarter of the context. */
const REPLY_TOKENS = 4096;

type Params = Record<string, unknown>;

/** What a prompt is built from beside its messages. */
export interface PromptBasis {
  systemPrompt: Conversation['systemPrompt'];
  /** Of prompt and reply together. */
  contextTokens: number;
  params: Params;
}

/** Builds prompts: the system prompt and as many of the newest messages and files as fit the context. */
@Injectable()
export class PromptService {
  constructor(
    private readonly branch: BranchReader,
    private readonly files: PromptFiles,
  ) {}

  /**
   * @param userMessage the message to answer, on the active branch; included even if it does not fit
   * @param prepared its files, if they were read by `prepare`
   */
  async build(
    userMessage: MessageDto,
    basis: PromptBasis,
    prepared?: PromptPart[],
  ): Promise<PromptMessage[]> {
    const system = systemOf(basis);
    const budget = budgetOf(basis);
    for (const message of system) await budget.take(message);
    const newest = await new NewestMessages(this.files, budget, prepared).take(this.branch.up(userMessage));
    return [...system, ...joinSameRoles(newest.reverse())];
  }

  /**
   * Reads the files of a message that is about to be sent.
   * @throws {ProblemError} 422 `context_exceeded` if they do not fit with their message alone
   * @throws {StorageUnavailableError}
   */
  async prepare(files: StoredFile[], content: string, basis: PromptBasis): Promise<PromptPart[]> {
    const budget = budgetOf(basis);
    for (const message of systemOf(basis)) await budget.take(message);
    let fits = await budget.take({ role: 'user', content });
    const parts: PromptPart[] = [];
    for (const file of files) {
      fits &&= mayFit(file, budget);
      if (!fits) throw contextExceeded();
      const part = (await this.files.read(file, true)) ?? textPart(lineFor(file));
      fits = await budget.takePart(part);
      parts.push(part);
    }
    if (!fits) throw contextExceeded();
    return parts;
  }
}

function contextExceeded(): ProblemError {
  const detail = 'The files do not fit the context of the model.';
  const errors = [{ field: 'file_ids', message: 'Must fit the context of the model.' }];
  return new ProblemError(422, 'context_exceeded', detail, { errors });
}

function systemOf({ systemPrompt }: PromptBasis): PromptMessage[] {
  return systemPrompt && !isBlank(systemPrompt) ? [{ role: 'system', content: systemPrompt }] : [];
}

function budgetOf({ contextTokens, params }: PromptBasis): TokenBudget {
  return new TokenBudget(contextTokens - replyTokens(contextTokens, params));
}

/** Joins consecutive messages of one role, because some providers require alternating roles. */
function joinSameRoles(messages: PromptMessage[]): PromptMessage[] {
  const joined: PromptMessage[] = [];
  for (const { role, content } of messages) {
    const last = joined.at(-1);
    if (last?.role === role) last.content = joinContents(last.content, content);
    else joined.push({ role, content });
  }
  return joined;
}

function replyTokens(contextTokens: number, params: Params): number {
  const requested = params.max_completion_tokens ?? params.max_tokens;
  if (typeof requested === 'number') return requested;
  return Math.min(REPLY_TOKENS, Math.floor(contextTokens / 4));
}
