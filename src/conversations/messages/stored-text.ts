import type { Repository } from 'typeorm';
import type { Message } from './message.entity.js';
import { chunksOf, type ReplyChunk, type ReplyPart } from './reply-chunk.entity.js';

/** Reads a message's content. @returns an empty text if the message was deleted */
export async function readContent(messages: Repository<Message>, id: number): Promise<string> {
  const message = await messages.findOne({ select: { id: true, content: true }, where: { id } });
  return message?.content ?? '';
}

/** Reads the text that an attempt of a running reply has stored. */
export async function readChunks(
  repository: Repository<ReplyChunk>,
  messageId: number,
  attempt: number,
): Promise<Record<ReplyPart, string>> {
  const where = { messageId, seq: chunksOf(attempt) };
  const chunks = await repository.find({ where, order: { seq: 'ASC' } });
  const join = (part: ReplyPart) => {
    const ofPart = chunks.filter((chunk) => chunk.part === part);
    return ofPart.map(({ text }) => text).join('');
  };
  return { content: join('content'), reasoning: join('reasoning') };
}
