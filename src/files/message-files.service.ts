import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, In, IsNull, Repository } from 'typeorm';
import { invalidField } from '../common/errors/errors.js';
import { FileLinks } from './file-links.service.js';
import type { StoredFileDto } from './file.dto.js';
import { StoredFile } from './file.entity.js';
import { MessageFile } from './message-file.entity.js';

type MessageRef = Pick<MessageFile, 'messageId' | 'conversationId'>;

/** Reads and stores the files of messages. Callers have checked the owner of the messages. */
@Injectable()
export class MessageFiles {
  constructor(
    @InjectRepository(MessageFile) private readonly uses: Repository<MessageFile>,
    @InjectRepository(StoredFile) private readonly files: Repository<StoredFile>,
    private readonly links: FileLinks,
  ) {}

  toDtos(files: StoredFile[]): StoredFileDto[] {
    return files.map((file) => this.links.toDto(file));
  }

  /** Reads the files of messages in their order, in one query. Messages without files have no entry. */
  async findAll(messageIds: number[], manager = this.uses.manager): Promise<Map<number, StoredFile[]>> {
    const files = new Map<number, StoredFile[]>();
    if (messageIds.length === 0) return files;
    const uses = await manager.find(MessageFile, {
      where: { messageId: In(messageIds) },
      relations: { file: true },
      order: { messageId: 'ASC', position: 'ASC' },
    });
    for (const { messageId, file } of uses) files.set(messageId, [...(files.get(messageId) ?? []), file!]);
    return files;
  }

  /** Reads the files of a message in their order. */
  async find(messageId: number, manager?: EntityManager): Promise<StoredFile[]> {
    return (await this.findAll([messageId], manager)).get(messageId) ?? [];
  }

  /**
   * Reads files in the order of the ids.
   * @throws {ValidationFailedError} naming `file_ids` if one is deleted, another user's or does not exist
   */
  async getSendable(userId: number, ids: number[]): Promise<StoredFile[]> {
    const where = { id: In(ids), userId, deletedAt: IsNull() };
    const found = new Map((await this.files.findBy(where)).map((file) => [file.id, file]));
    return ids.map((id) => found.get(id) ?? refuse());
  }

  /**
   * Adds files to a new message. Locks their rows, so that neither the sweep nor a deletion takes one meanwhile.
   * @throws {ValidationFailedError} as `getSendable` does
   */
  async attach(
    manager: EntityManager,
    userId: number,
    message: MessageRef,
    fileIds: number[],
  ): Promise<void> {
    if (fileIds.length === 0) return;
    const sendable = { id: In(fileIds), userId, deletedAt: IsNull() };
    const { affected } = await manager.update(StoredFile, sendable, { expiresAt: null });
    if (affected !== fileIds.length) refuse();
    await insert(manager, message, fileIds);
  }

  /** Adds the files of a message to its edited copy, deleted ones too. */
  async copy(manager: EntityManager, fromId: number, message: MessageRef): Promise<void> {
    const uses = await manager.find(MessageFile, {
      where: { messageId: fromId },
      order: { position: 'ASC' },
    });
    if (uses.length === 0) return;
    await insert(
      manager,
      message,
      uses.map(({ fileId }) => fileId),
    );
  }
}

async function insert(manager: EntityManager, message: MessageRef, fileIds: number[]): Promise<void> {
  const { messageId, conversationId } = message;
  const rows = fileIds.map((fileId, position) => ({ messageId, conversationId, position, fileId }));
  await manager.insert(MessageFile, rows);
}

function refuse(): never {
  throw invalidField('file_ids', 'Must be ids of your files that are not deleted.');
}
