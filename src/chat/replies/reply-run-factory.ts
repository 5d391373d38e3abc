import { Injectable, Logger } from '@nestjs/common';
import { AiService } from '../../ai/ai.service.js';
import type { ModelProvider, PromptMessage } from '../../ai/provider/provider.js';
import {
  logProviderError,
  logRetries,
  type OnRetry,
  type ProviderTask,
} from '../../ai/errors/provider-error-log.js';
import { ProviderError } from '../../ai/provider/provider.error.js';
import { ProblemError } from '../../common/errors/errors.js';
import { mergeParams } from '../../common/validation/model-params.dto.js';
import { DEFAULT_CONTEXT_TOKENS } from '../../configs/config.dto.js';
import { ConfigsService, type ResolvedConfig } from '../../configs/configs.service.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { MessagesService } from '../../conversations/messages/messages.service.js';
import { PromptService } from './prompt.service.js';
import type { RunningReply } from './reply-repository.js';
import { titleFromModel } from './title-answer.js';
import { TITLE_PROMPT } from '../turns/titles.js';

/** A title that takes longer is not worth its wait. */
const TITLE_TIMEOUT_MS = 30_000;
/** What of a message the title is made from, and what of an answer is read. UTF-16 code units. */
const TITLE_SOURCE_LENGTH = 2000;
const TITLE_ANSWER_LENGTH = 8000;

export interface ReplyRun {
  provider: ModelProvider;
  /** Null for the demo model. */
  configId: number | null;
  /** Read when the run begins, so that no sender waits for it. */
  prompt: () => Promise<PromptMessage[]>;
  /** After the reply's end is stored and published. */
  onEnded?: (message: MessageDto) => void;
}

/** Puts together what a reply's run needs: the provider, the prompt, and the title that may follow. */
@Injectable()
export class ReplyRunFactory {
  private readonly logger = new Logger('Titles');

  constructor(
    private readonly configs: ConfigsService,
    private readonly prompts: PromptService,
    private readonly conversations: ConversationsService,
    private readonly messages: MessagesService,
    private readonly ai: AiService,
  ) {}

  /** @throws {ProblemError} 409 `no_model_config`, `key_unreadable`; 422 where the config is not the user's */
  resolve(
    userId: number,
    conversationId: number,
    configId: number | null | undefined,
  ): Promise<ResolvedConfig> {
    if (configId) return this.configs.resolve(userId, configId);
    return this.configs.resolveForConversation(userId, conversationId);
  }

  create(conversation: Conversation, userMessage: MessageDto, config: ResolvedConfig): ReplyRun {
    const params = { ...mergeParams(config.provider.params ?? {}, conversation.params) };
    const provider = { ...config.provider, params };
    return {
      provider,
      configId: config.configId,
      prompt: () => this.prompts.build(conversation, userMessage, config.contextTokens, params),
      onEnded: (reply) => void this.giveTitle(conversation, userMessage, reply, config),
    };
  }

  /** Puts together once more what a stored reply's run needed. @throws {ProblemError} as `resolve` */
  async again({ reply, question, conversation }: RunningReply): Promise<ReplyRun> {
    const config = await this.resolve(conversation.userId, conversation.id, reply.configId);
    return this.create(conversation, MessageDto.from(question, [question.id]), config);
  }

  /** What a stored reply's provider was sent, as far as that can be told afterwards. */
  async promptOf(running: RunningReply): Promise<PromptMessage[]> {
    try {
      const run = await this.again(running);
      return await run.prompt();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      const { conversation, question } = running;
      const asked = MessageDto.from(question, [question.id]);
      return this.prompts.build(conversation, asked, DEFAULT_CONTEXT_TOKENS, conversation.params);
    }
  }

  private async giveTitle(
    conversation: Conversation,
    question: MessageDto,
    reply: MessageDto,
    { configId, provider }: ResolvedConfig,
  ): Promise<void> {
    const { id, userId } = conversation;
    const task: ProviderTask = { task: 'title', conversation_id: id, user_id: userId, config_id: configId };
    try {
      if (!(await this.wantsTitle(conversation, question, reply))) return;
      const title = await this.askForTitle(question.content, reply.content, provider, logRetries(task));
      if (title) await this.conversations.setAutoTitle(userId, id, title);
    } catch (error) {
      // The first words of the first message stay: a conversation needs no better title to work.
      if (error instanceof ProviderError) logProviderError(task, error);
      else this.logger.debug({ conversation_id: id, error }, 'No title');
    }
  }

  /** After the first complete reply, where nobody has given a title. */
  private async wantsTitle(
    { id, titleSource }: Conversation,
    question: MessageDto,
    reply: MessageDto,
  ): Promise<boolean> {
    if (titleSource !== 'default' || reply.status !== 'complete') return false;
    const isFirst =
      question.parent_id === null && reply.sibling_ids.length === 1 && question.sibling_ids.length === 1;
    return isFirst || !(await this.messages.hasOtherCompleteReply(id, reply.id));
  }

  /** @returns null for what is no title; one that was cut off by the length is none */
  private async askForTitle(
    question: string,
    answer: string,
    provider: ModelProvider,
    onRetry: OnRetry,
  ): Promise<string | null> {
    const excerpt = (text: string) => text.slice(0, TITLE_SOURCE_LENGTH).toWellFormed();
    const content = `${TITLE_PROMPT}\n\nUser: ${excerpt(question)}\n\nAssistant: ${excerpt(answer)}`;
    const bareProvider = { ...provider, params: undefined };
    const messages = [{ role: 'user' as const, content }];
    let title = '';
    const signal = AbortSignal.timeout(TITLE_TIMEOUT_MS);
    for await (const batch of this.ai.stream(bareProvider, messages, signal, onRetry)) {
      title = batch.restarted ? batch.content : title + batch.content;
      if (title.length > TITLE_ANSWER_LENGTH || isCutOff(batch.finishReason)) return null;
    }
    return titleFromModel(title);
  }
}

function isCutOff(finishReason: string | undefined): boolean {
  return finishReason !== undefined && /length|max_?tokens|truncat/i.test(finishReason);
}
