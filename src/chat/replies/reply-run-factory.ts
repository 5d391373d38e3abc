import { Injectable } from '@nestjs/common';
import type { PromptPart } from '../../ai/provider/prompt-content.js';
import type { ModelProvider, PromptMessage } from '../../ai/provider/provider.js';
import { ProblemError } from '../../common/errors/errors.js';
import { mergeParams } from '../../common/validation/model-params.dto.js';
import { DEFAULT_CONTEXT_TOKENS } from '../../configs/config.dto.js';
import { ConfigsService, type ResolvedConfig } from '../../configs/configs.service.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import type { Message } from '../../conversations/messages/message.entity.js';
import { MessageFiles } from '../../files/message-files.service.js';
import type { StartTurn } from '../turns/turn.js';
import { type PromptBasis, PromptService } from './prompts/prompt.service.js';
import { TurnFiles } from './prompts/turn-files.service.js';
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
    private readonly messageFiles: MessageFiles,
    private readonly turnFiles: TurnFiles,
  ) {}

  /**
   * Reads the files of a turn that is about to be stored.
   * @throws {ProblemError} 422 naming `file_ids`, `context_exceeded` too
   * @throws {StorageUnavailableError}
   */
  prepareFiles(
    turn: Pick<StartTurn, 'userId' | 'conversationId' | 'request'>,
    config: ResolvedConfig,
  ): Promise<PromptPart[]> {
    return this.turnFiles.prepare(turn, (conversation) => basisOf(conversation, config));
  }

  /** @param prepared files of the message, from `prepareFiles` */
  create(
    conversation: Conversation,
    userMessage: MessageDto,
    config: ResolvedConfig,
    prepared?: PromptPart[],
  ): ReplyRun {
    const basis = basisOf(conversation, config);
    return {
      provider: { ...config.provider, params: basis.params },
      configId: config.configId,
      prompt: () => this.prompts.build(userMessage, basis, prepared),
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
    return this.create(conversation, await this.messageOf(userMessage), config);
  }

  /** Rebuilds a stored reply's prompt; with the default context if its configuration is unusable by now. */
  async promptOf(running: RunningReply): Promise<PromptMessage[]> {
    try {
      const run = await this.recreate(running);
      return await run.prompt();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      const { conversation, userMessage } = running;
      const message = await this.messageOf(userMessage);
      const { systemPrompt, params } = conversation;
      return this.prompts.build(message, { systemPrompt, contextTokens: DEFAULT_CONTEXT_TOKENS, params });
    }
  }

  private async messageOf(message: Message): Promise<MessageDto> {
    const files = this.messageFiles.toDtos(await this.messageFiles.find(message.id));
    return MessageDto.from(message, [message.id], files);
  }
}

function basisOf(
  { systemPrompt, params }: Conversation,
  config: ResolvedConfig,
): PromptBasis & { params: object } {
  const merged = { ...mergeParams(config.provider.params ?? {}, params) };
  return { systemPrompt, contextTokens: config.contextTokens, params: merged };
}
