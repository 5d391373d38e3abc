import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AiService } from '../../../ai/ai.service.js';
import { traceCompletion } from '../../../ai/completion-tracing.js';
import { logProviderError, logRetries, type ProviderTask } from '../../../ai/errors/provider-error-log.js';
import { ProviderError } from '../../../ai/provider/provider.error.js';
import type { ModelProvider, PromptMessage, TokenUsage } from '../../../ai/provider/provider.js';
import type { ResolvedConfig } from '../../../configs/configs.service.js';
import type { Conversation } from '../../../conversations/conversation.entity.js';
import { ConversationsService } from '../../../conversations/conversations.service.js';
import { MessagesService } from '../../../conversations/messages/messages.service.js';
import { transaction } from '../../../database/retry.js';
import { estimateUsage } from '../../../usage/estimated-usage.js';
import { addUsage } from '../../../usage/usage-rows.js';
import { titleFromModel } from './title-answer.js';
import { TitleCompletion } from './title-completion.js';
import { titlePromptFor, type TitleSource } from './title-prompt.js';

const TIMEOUT_MS = 30_000;

/** Asks the reply's model for the conversation's title. */
@Injectable()
export class TitleService {
  private readonly logger = new Logger('Titles');

  constructor(
    private readonly conversations: ConversationsService,
    private readonly messages: MessagesService,
    private readonly ai: AiService,
    @InjectDataSource() private readonly database: DataSource,
  ) {}

  /** Replaces the default title after the first complete reply. Failures are logged: the title so far stays. */
  async update(conversation: Conversation, source: TitleSource, config: ResolvedConfig): Promise<void> {
    const { id, userId } = conversation;
    const task = { task: 'title', conversation_id: id, user_id: userId, config_id: config.configId } as const;
    try {
      if (!(await this.isWanted(conversation, source))) return;
      const title = await this.request(userId, source, config, task);
      if (title) await this.conversations.setAutoTitle(userId, id, title);
    } catch (error) {
      if (error instanceof ProviderError) logProviderError(task, error);
      else this.logger.debug({ conversation_id: id, error }, 'Failed to make a title');
    }
  }

  private async isWanted(
    { id, titleSource }: Conversation,
    { userMessage, reply }: TitleSource,
  ): Promise<boolean> {
    if (titleSource !== 'default' || reply.status !== 'complete') return false;
    const isFirst =
      userMessage.parent_id === null &&
      userMessage.sibling_ids.length === 1 &&
      reply.sibling_ids.length === 1;
    return isFirst || !(await this.messages.hasOtherCompleteReply(id, reply.id));
  }

  /** @returns null if the answer is not a title or was cut off */
  private async request(
    userId: number,
    source: TitleSource,
    config: ResolvedConfig,
    task: ProviderTask,
  ): Promise<string | null> {
    const prompt = titlePromptFor(source);
    const answer = new TitleCompletion();
    try {
      await traceCompletion(config.provider, answer, () => this.read(config.provider, prompt, task, answer));
    } finally {
      await this.count(userId, config, answer.usage ?? (await estimateUsage(prompt, answer.generated)));
    }
    return answer.isCutOff ? null : titleFromModel(answer.content);
  }

  private async read(
    provider: ModelProvider,
    prompt: PromptMessage[],
    task: ProviderTask,
    answer: TitleCompletion,
  ): Promise<void> {
    const withoutParams = { ...provider, params: undefined };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    for await (const batch of this.ai.stream(withoutParams, prompt, signal, logRetries(task))) {
      answer.append(batch);
      if (answer.isTooLong) return;
    }
  }

  private async count(
    userId: number,
    { configId, provider: { modelName } }: ResolvedConfig,
    { promptTokens, completionTokens }: TokenUsage,
  ): Promise<void> {
    const counts = { replies: 0, promptTokens, completionTokens, endedAt: new Date() } as const;
    await transaction(this.database, (manager) =>
      addUsage(manager, { userId, modelName, configId, ...counts }),
    );
  }
}
