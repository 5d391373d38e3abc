import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository } from 'typeorm';
import type { Actor } from '../auth/actor.js';
import { requireSession } from '../auth/sessions/require-session.js';
import type { Session } from '../auth/sessions/session.entity.js';
import { yieldBetweenPieces, jsonPieces } from '../common/json/json-pieces.js';
import { ConversationDto } from '../conversations/conversation.dto.js';
import { Conversation } from '../conversations/conversation.entity.js';
import { MessageDto } from '../conversations/messages/message.dto.js';
import { MessagesService } from '../conversations/messages/messages.service.js';
import { FilesService } from '../files/files.service.js';
import { AccountExport, type ExportedAccount } from './account-export.service.js';

const PAGE_SIZE = 50;
/** Text per read; a longer message is read alone. */
const PAGE_BYTES = 1024 * 1024;

@Injectable()
export class ExportService {
  constructor(
    @InjectRepository(Conversation) private readonly conversations: Repository<Conversation>,
    private readonly account: AccountExport,
    private readonly files: FilesService,
    private readonly messages: MessagesService,
  ) {}

  /**
   * Writes an ExportDto as pieces of JSON. Files and conversations are read page by page, as fast as the pieces are
   * consumed. The account is read before the first piece, so that its failure is a problem, not a truncated document.
   * The pieces break off if the session ends: a client that reads slowly would see what is written long after.
   */
  async begin(actor: Actor): Promise<AsyncGenerator<string>> {
    return yieldBetweenPieces(this.write(await this.account.read(actor), actor.session));
  }

  private async *write(account: ExportedAccount, session: Session): AsyncGenerator<string> {
    yield '{';
    for (const [name, member] of Object.entries(account)) {
      yield `"${name}":`;
      yield* jsonPieces(member);
      yield ',';
    }
    yield '"files":';
    yield* writeList(this.files.readAll(session.userId), jsonPieces);
    yield ',"conversations":';
    yield* writeList(this.readConversations(session), (conversation) =>
      this.writeConversation(conversation, session),
    );
    yield '}\n';
  }

  private async *writeConversation(conversation: Conversation, session: Session): AsyncGenerator<string> {
    yield `${JSON.stringify(ConversationDto.from(conversation)).slice(0, -1)},"messages":`;
    yield* writeList(this.readMessages(conversation.id, session), jsonPieces);
    yield '}';
  }

  /** Reads all ids first: no index has a user's conversations in an order that does not change meanwhile. */
  private async *readConversations(session: Session): AsyncGenerator<Conversation> {
    const { userId } = session;
    const rows = await this.conversations.find({
      select: { id: true },
      where: { userId },
      order: { id: 'ASC' },
    });
    const ids = rows.map(({ id }) => id);
    for (let start = 0; start < ids.length; start += PAGE_SIZE) {
      await requireSession(this.conversations.manager, session);
      const where = { userId, id: In(ids.slice(start, start + PAGE_SIZE)) };
      yield* await this.conversations.find({ where, order: { id: 'ASC' } });
    }
  }

  private async *readMessages(conversationId: number, session: Session): AsyncGenerator<MessageDto> {
    for (let id = 0; ;) {
      if (id > 0) await requireSession(this.conversations.manager, session);
      const query = this.messages.queryFrom(conversationId, id);
      const page = await this.messages.readFitting(query, { limit: PAGE_SIZE, maxBytes: PAGE_BYTES });
      yield* await this.messages.toDtos(page.messages);
      if (!page.hasMore || page.messages.length === 0) return;
      id = page.messages.at(-1)!.id + 1;
    }
  }
}

/** Writes a JSON array. */
async function* writeList<T>(
  items: AsyncIterable<T>,
  piecesOf: (item: T) => Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<string> {
  let separator = '[';
  for await (const item of items) {
    yield separator;
    yield* piecesOf(item);
    separator = ',';
  }
  yield separator === '[' ? '[]' : ']';
}
