import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository } from 'typeorm';
import { UsersService } from '../auth/users/users.service.js';
import type { Actor } from '../auth/actor.js';
import { SessionListDto } from '../auth/sessions/session.dto.js';
import { IdentitiesService } from '../auth/identities/identities.service.js';
import { SessionsService } from '../auth/sessions/sessions.service.js';
import { yieldBetweenPieces, jsonPieces } from '../common/json/json-pieces.js';
import { ConfigsService } from '../configs/configs.service.js';
import { ConversationDto } from '../conversations/conversation.dto.js';
import { Conversation } from '../conversations/conversation.entity.js';
import { MessageDto } from '../conversations/messages/message.dto.js';
import { MessagesService } from '../conversations/messages/messages.service.js';
import type { ExportDto } from './export.dto.js';

const PAGE_SIZE = 50;
/** Text per read; a longer message is read alone. */
const PAGE_BYTES = 1024 * 1024;

@Injectable()
export class ExportService {
  constructor(
    @InjectRepository(Conversation) private readonly conversations: Repository<Conversation>,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly identities: IdentitiesService,
    private readonly configs: ConfigsService,
    private readonly messages: MessagesService,
  ) {}

  /**
   * Writes an ExportDto as pieces of JSON. Conversations are read page by page, as fast as the pieces are consumed.
   * The account is read before the first piece, so that its failure is a problem, not a truncated document.
   */
  async begin({ user, session }: Actor): Promise<AsyncGenerator<string>> {
    const account: Omit<ExportDto, 'conversations'> = {
      exported_at: new Date().toISOString(),
      user: await this.users.get(user),
      ...SessionListDto.from(await this.sessions.list(user.id), session.id),
      identities: await this.identities.list(user.id),
      configs: (await this.configs.list(user.id)).filter(({ shared }) => !shared),
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

  /** Reads all ids first: no index has a user's conversations in an order that does not change meanwhile. */
  private async *readConversations(userId: number): AsyncGenerator<Conversation> {
    const rows = await this.conversations.find({
      select: { id: true },
      where: { userId },
      order: { id: 'ASC' },
    });
    const ids = rows.map(({ id }) => id);
    for (let start = 0; start < ids.length; start += PAGE_SIZE) {
      const where = { userId, id: In(ids.slice(start, start + PAGE_SIZE)) };
      yield* await this.conversations.find({ where, order: { id: 'ASC' } });
    }
  }

  private async *readMessages(conversationId: number): AsyncGenerator<MessageDto> {
    for (let id = 0; ;) {
      const query = this.messages.queryFrom(conversationId, id);
      const page = await this.messages.readFitting(query, { limit: PAGE_SIZE, maxBytes: PAGE_BYTES });
      yield* await this.messages.toDtos(page.messages);
      if (!page.hasMore || page.messages.length === 0) return;
      id = page.messages.at(-1)!.id + 1;
    }
  }
}
