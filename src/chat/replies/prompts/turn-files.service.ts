import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { PromptPart } from '../../../ai/provider/prompt-content.js';
import { NotFoundError } from '../../../common/errors/errors.js';
import { Conversation } from '../../../conversations/conversation.entity.js';
import { Message } from '../../../conversations/messages/message.entity.js';
import type { StoredFile } from '../../../files/file.entity.js';
import { MessageFiles } from '../../../files/message-files.service.js';
import type { StartTurn } from '../../turns/turn.js';
import { type PromptBasis, PromptService } from './prompt.service.js';

type TurnRef = Pick<StartTurn, 'userId' | 'conversationId' | 'request'>;

/** A message before its turn is stored. */
interface Draft {
  content: string;
  files: StoredFile[];
}

/** Reads the files of a turn before it is stored, so that nothing is stored if they cannot be sent. */
@Injectable()
export class TurnFiles {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly files: MessageFiles,
    private readonly prompts: PromptService,
  ) {}

  /**
   * @param basisOf called for a turn with files
   * @throws {ProblemError} 422 naming `file_ids`, `context_exceeded` too
   * @throws {StorageUnavailableError}
   */
  async prepare(turn: TurnRef, basisOf: (conversation: Conversation) => PromptBasis): Promise<PromptPart[]> {
    const { content, files } = await this.draftOf(turn);
    if (files.length === 0) return [];
    const { userId, conversationId: id } = turn;
    const conversation = await this.database.manager.findOneBy(Conversation, { id, userId });
    if (!conversation) throw new NotFoundError('conversation');
    return this.prompts.prepare(files, content, basisOf(conversation));
  }

  private async draftOf({ userId, conversationId, request }: TurnRef): Promise<Draft> {
    if (request.kind === 'regenerate') return this.answeredBy(conversationId, request.messageId);
    const { content, fileIds } = request;
    if (fileIds?.length === 0) return { content, files: [] };
    if (fileIds) return { content, files: await this.files.getSendable(userId, fileIds) };
    const editedId = request.kind === 'edit' ? request.messageId : 0;
    const edited = await this.database.manager.findOneBy(Message, { id: editedId, conversationId });
    return { content, files: edited ? await this.files.find(edited.id) : [] };
  }

  /** Reads the message that a reply answers. */
  private async answeredBy(conversationId: number, replyId: number): Promise<Draft> {
    const { manager } = this.database;
    const select = { id: true, parentId: true } as const;
    const reply = await manager.findOne(Message, { select, where: { id: replyId, conversationId } });
    const files = reply?.parentId ? await this.files.find(reply.parentId) : [];
    if (files.length === 0) return { content: '', files };
    const { content } = await manager.findOneByOrFail(Message, { id: reply!.parentId! });
    return { content, files };
  }
}
