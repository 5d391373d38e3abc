import { Injectable } from '@nestjs/common';
import type { MessageDto } from '../../../conversations/messages/message.dto.js';
import { MessagesService } from '../../../conversations/messages/messages.service.js';
import type { StoredFile } from '../../../files/file.entity.js';
import { MessageFiles } from '../../../files/message-files.service.js';

/** Messages per read. */
const PAGE = 20;
/** Longer content is read separately, when it is needed. */
const SHORT_CONTENT = 'CASE WHEN OCTET_LENGTH(message.content) <= 65536 THEN message.content END';
const HAS_FILES = 'EXISTS (SELECT 1 FROM message_files mf WHERE mf.message_id = message.id)';

export interface BranchMessage {
  role: MessageDto['role'];
  content: string;
  files: StoredFile[];
}

interface Row {
  id: number | string;
  role: MessageDto['role'];
  content: string | null;
  has_files: number | string;
}

/** Reads the active branch for prompts. */
@Injectable()
export class BranchReader {
  constructor(
    private readonly messages: MessagesService,
    private readonly files: MessageFiles,
  ) {}

  /** Reads from a message up to the root, page by page. */
  async *up(last: MessageDto): AsyncGenerator<BranchMessage> {
    const files = last.files.length > 0 ? await this.files.find(last.id) : [];
    yield { role: last.role, content: last.content, files };
    if (last.parent_id === null) return;
    for (let beforeId = last.id; ;) {
      const page = await this.readPage(last.conversation_id, beforeId);
      const filesById = await this.files.findAll(page.filter(hasFiles).map(({ id }) => Number(id)));
      for (const { id, role, content } of page) {
        const text = content ?? (await this.messages.readContent(Number(id)));
        yield { role, content: text, files: filesById.get(Number(id)) ?? [] };
      }
      if (page.length < PAGE) return;
      beforeId = Number(page.at(-1)!.id);
    }
  }

  private readPage(conversationId: number, beforeId: number): Promise<Row[]> {
    return this.messages
      .queryPage(conversationId, { limit: PAGE, beforeId })
      .select('message.id', 'id')
      .addSelect('message.role', 'role')
      .addSelect(SHORT_CONTENT, 'content')
      .addSelect(HAS_FILES, 'has_files')
      .getRawMany<Row>();
  }
}

const hasFiles = (row: Row) => Number(row.has_files) === 1;
