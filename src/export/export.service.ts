import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In } from 'typeorm';
import { UsersService } from '../auth/users/users.service.js';
import type { Actor } from '../auth/actor.js';
import { SessionListDto } from '../auth/sessions/session.dto.js';
import { SessionsService } from '../auth/sessions/sessions.service.js';
import { yieldBetweenPieces, jsonPieces } from '../common/json/json-pieces.js';
import { ConfigsService } from '../configs/configs.service.js';
import { ConversationDto } from '../conversations/conversation.dto.js';
import { Conversation } from '../conversations/conversation.entity.js';
import { MessageDto } from '../conversations/messages/message.dto.js';
import { MessagesService } from '../conversations/messages/messages.service.js';
import type { ExportDto } from './export.dto.js';

const PAGE = 50;
/** Text that is read at once, but for a longer message. */
const PAGE_BYTES = 1024 * 1024;

@Injectable()
export class ExportService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly configs: ConfigsService,
    private readonly messages: MessagesService,
  ) {}

  /**
   * An ExportDto as pieces of JSON. Conversations are read page by page, as fast as the pieces are taken.
   * What can be wanting is read before it answers, so that a failure is still a problem, not half a document.
   */
  async begin({ user, session }: Actor): Promise<AsyncGenerator<string>> {
    const account: Omit<ExportDto, 'conversations'> = {
      exported_at: new Date().toISOString(),
      user: await this.users.get(user),
      ...SessionListDto.from(await this.sessions.list(user.id), session.id),
      configs: await this.configs.list(user.id),
    };
    return yieldBetweenPieces(this.write(account, user.id));
  }

  private async *write(account: object, userId: number): AsyncGenerator<string> {
    let before = '{';
    for (const [name, member] of Object.entries(account)) {
      yield `${before}"${name}":`;
      yield* jsonPieces(member);
      before = ',';
    }
    yield ',"conversations":[';
    let separator = '';
    for await (const conversation of this.readConversations(userId)) {
      yield separator;
      yield* this.writeConversation(conversation);
      separator = ',';
    }
    yield ']}\n';
  }

  private async *writeConversation(conversation: Conversation): AsyncGenerator<string> {
    yield `${JSON.stringify(ConversationDto.from(conversation)).slice(0, -1)},"messages":[`;
    let separator = '';
    for await (const message of this.readMessages(conversation.id)) {
      yield separator;
      yield* jsonPieces(message);
      separator = ',';
    }
    yield ']}';
  }

  /** By their ids, which are read at once: no index has a user's conversations in an order that stays. */
  private async *readConversations(userId: number): AsyncGenerator<Conversation> {
    const conversations = this.dataSource.getRepository(Conversation);
    const rows = await conversations.find({ select: { id: true }, where: { userId }, order: { id: 'ASC' } });
    const ids = rows.map(({ id }) => id);
    for (let start = 0; start < ids.length; start += PAGE) {
      const where = { userId, id: In(ids.slice(start, start + PAGE)) };
      yield* await conversations.find({ where, order: { id: 'ASC' } });
    }
  }

  private async *readMessages(conversationId: number): AsyncGenerator<MessageDto> {
    for (let id = 0; ;) {
      const query = this.messages.queryFrom(conversationId, id);
      const page = await this.messages.readFitting(query, { limit: PAGE, maxBytes: PAGE_BYTES });
      yield* await this.messages.toDtos(page.messages);
      if (!page.hasMore || page.messages.length === 0) return;
      id = page.messages.at(-1)!.id + 1;
    }
  }
}
