import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, MoreThan } from 'typeorm';
import { AccountsService } from '../auth/accounts.service.js';
import type { Identity } from '../auth/identity.js';
import { SessionListDto } from '../auth/session.dto.js';
import { SessionsService } from '../auth/sessions.service.js';
import { ConfigsService } from '../configs/configs.service.js';
import { ConversationDto } from '../conversations/conversation.dto.js';
import { Conversation } from '../conversations/conversation.entity.js';
import { MessageDto } from '../conversations/message.dto.js';
import { Message } from '../conversations/message.entity.js';
import { MessagesService } from '../conversations/messages.service.js';
import type { ExportDto } from './export.dto.js';

/** Small, as a message can be megabytes long. */
const PAGE = 50;

@Injectable()
export class ExportService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly accounts: AccountsService,
    private readonly sessions: SessionsService,
    private readonly configs: ConfigsService,
    private readonly messages: MessagesService,
  ) {}

  /**
   * An ExportDto as pieces of JSON. Conversations are read page by page, as fast as the pieces are taken.
   * What can be wanting is read before it answers, so that a failure is still a problem, not half a document.
   */
  async begin({ user, session }: Identity): Promise<AsyncGenerator<string>> {
    const account: Omit<ExportDto, 'conversations'> = {
      exported_at: new Date().toISOString(),
      user: await this.accounts.get(user),
      ...SessionListDto.from(await this.sessions.list(user.id), session.id),
      configs: await this.configs.list(user.id),
    };
    return this.write(account, user.id);
  }

  private async *write(account: object, userId: number): AsyncGenerator<string> {
    yield `${JSON.stringify(account).slice(0, -1)},"conversations":[`;
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
      yield separator + JSON.stringify(message);
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
    let afterId = 0;
    for (;;) {
      const page = await this.readPage(conversationId, afterId);
      yield* await this.messages.toDtos(page);
      if (page.length < PAGE) return;
      afterId = page.at(-1)!.id;
    }
  }

  /** The active branch and the others are each a range of ix_messages_branch; a page is the first of both. */
  private async readPage(conversationId: number, afterId: number): Promise<Message[]> {
    const repository = this.dataSource.getRepository(Message);
    const rangeOf = (active: boolean) =>
      repository.find({
        where: { conversationId, active, id: MoreThan(afterId) },
        order: { id: 'ASC' },
        take: PAGE,
      });
    const both = [...(await rangeOf(true)), ...(await rangeOf(false))];
    return both.sort((one, other) => one.id - other.id).slice(0, PAGE);
  }
}
