import { Injectable } from '@nestjs/common';
import type { ModelProvider, PromptMessage } from '../../ai/provider/provider.js';
import { ProblemError } from '../../common/errors/errors.js';
import { mergeParams } from '../../common/validation/model-params.dto.js';
import { DEFAULT_CONTEXT_TOKENS } from '../../configs/config.dto.js';
import { ConfigsService, type ResolvedConfig } from '../../configs/configs.service.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { PromptService } from './prompt.service.js';
import type { RunningReply } from './reply-repository.js';
import { TitleService } from './titles/title.service.js';

/** What the engine needs to run a reply. */
export interface ReplyRun {
  provider: ModelProvider;
  /** Null for the demo model. */
  configId: number | null;
  /** Builds the prompt; called after the send was acknowledged. */
  prompt: () => Promise<PromptMessage[]>;
  /** Called after the reply's end was stored and published. */
  onEnded?: (message: MessageDto) => void;
}

/** Makes a reply's run from its conversation, message and configuration. */
@Injectable()
export class ReplyRunFactory {
  constructor(
    private readonly configs: ConfigsService,
    private readonly prompts: PromptService,
    private readonly titles: TitleService,
  ) {}

  create(conversation: Conversation, userMessage: MessageDto, config: ResolvedConfig): ReplyRun {
    const params = { ...mergeParams(config.provider.params ?? {}, conversation.params) };
    return {
      provider: { ...config.provider, params },
      configId: config.configId,
      prompt: () => this.prompts.build(conversation, userMessage, config.contextTokens, params),
      onEnded: (reply) => void this.titles.update(conversation, { userMessage, reply }, config),
    };
  }

  /**
   * Makes the run of a stored reply.
   * @throws {ProblemError} 409 `no_model_config`, `key_unreadable`; 422 if the config was deleted
   */
  async recreate({ reply, userMessage, conversation }: RunningReply): Promise<ReplyRun> {
    const { userId, id } = conversation;
    const config = reply.configId
      ? await this.configs.resolve(userId, reply.configId)
      : await this.configs.resolveForConversation(userId, id);
    return this.create(conversation, MessageDto.from(userMessage, [userMessage.id]), config);
  }

  /** Rebuilds a stored reply's prompt; with the default context if its configuration is unusable by now. */
  async promptOf(running: RunningReply): Promise<PromptMessage[]> {
    try {
      const run = await this.recreate(running);
      return await run.prompt();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      const { conversation, userMessage } = running;
      const message = MessageDto.from(userMessage, [userMessage.id]);
      return this.prompts.build(conversation, message, DEFAULT_CONTEXT_TOKENS, conversation.params);
    }
  }
}
