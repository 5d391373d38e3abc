import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, MoreThanOrEqual, type Repository } from 'typeorm';
import { isDuplicateKey, retryContention } from '../../../database/retry.js';
import { INDEX_VERSION } from './n-grams.js';
import { packAscending } from './search-postings.js';
import { SearchSegment } from './search-segment.entity.js';

export type Segment = Omit<SearchSegment, 'messageIds'>;

/** A bucket and its packed postings. */
export type PackedPostings = [bucket: number, postings: Buffer];

/** Claim time of an abandoned segment, which any node may delete at once. */
const ABANDONED = new Date(0);
/** Largest clock difference between two nodes. */
const MAX_SKEW_MS = 10_000;
const COLUMNS = {
  id: true,
  userId: true,
  firstMessageId: true,
  lastMessageId: true,
  messageCount: true,
  ready: true,
  tombstoned: true,
  claimedAt: true,
  version: true,
} as const;

/** Stores segments and their postings. */
@Injectable()
export class SegmentStore {
  constructor(@InjectRepository(SearchSegment) private readonly segments: Repository<SearchSegment>) {}

  /** Segments of a user in the order of their messages. Segments of another INDEX_VERSION are not ready. */
  async list(userId: number): Promise<Segment[]> {
    const order = { firstMessageId: 'ASC' } as const;
    const segments = await this.segments.find({ select: COLUMNS, where: { userId }, order });
    return segments.map((segment) => ({
      ...segment,
      ready: segment.ready && segment.version === INDEX_VERSION,
    }));
  }

  /** @returns the id of a new segment to build; null if another node has claimed it */
  async claim(userId: number, firstMessageId: number): Promise<number | null> {
    try {
      const { identifiers } = await this.segments.insert({
        userId,
        firstMessageId,
        lastMessageId: firstMessageId,
        messageCount: 0,
        ready: false,
        tombstoned: false,
        claimedAt: new Date(),
        messageIds: Buffer.alloc(0),
        version: INDEX_VERSION,
      });
      return identifiers[0]!.id as number;
    } catch (error) {
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  }

  /** @returns false if the claim was lost */
  async complete(id: number, lastMessageId: number, messageIds: number[]): Promise<boolean> {
    const { affected } = await this.segments.update(
      { id, ready: false },
      {
        lastMessageId,
        messageCount: messageIds.length,
        messageIds: packAscending(messageIds),
        ready: true,
      },
    );
    return affected === 1;
  }

  /** Gives up a claim. The postings stay for a later deletion in steps. */
  async abandon(id: number): Promise<void> {
    await this.segments.update({ id, ready: false }, { claimedAt: ABANDONED });
  }

  /** Makes searches scan the messages of a segment. @returns false if another node was first */
  async retire(id: number): Promise<boolean> {
    const { affected } = await this.segments.update(
      { id, ready: true },
      { ready: false, claimedAt: ABANDONED },
    );
    return affected !== 0;
  }

  async delete(id: number): Promise<void> {
    await this.segments.delete({ id });
  }

  /** @throws a foreign key error if the segment was deleted */
  async insertPostings(segmentId: number, rows: PackedPostings[]): Promise<void> {
    const placeholders = rows.map(() => '(?,?,?)').join(',');
    const values = rows.flatMap(([bucket, postings]) => [segmentId, bucket, postings]);
    const sql = `INSERT INTO search_bits (block_id, bucket, bits) VALUES ${placeholders}`;
    await retryContention(() => this.segments.query(sql, values));
  }

  async deletePostingsBelow(segmentId: number, bucket: number): Promise<void> {
    const sql = 'DELETE FROM search_bits WHERE block_id = ? AND bucket < ?';
    await retryContention(() => this.segments.query(sql, [segmentId, bucket]));
  }

  /** Tombstones the segments that contain messages of a conversation, and all unfinished ones. */
  async tombstone(manager: EntityManager, userId: number, conversationId: number): Promise<void> {
    const inSegment = 'm.id BETWEEN search_blocks.first_message_id AND search_blocks.last_message_id';
    await manager.query(
      `UPDATE search_blocks SET stale = 1 WHERE user_id = ? AND (ready = 0 OR EXISTS (
         SELECT 1 FROM messages m WHERE m.conversation_id = ? AND ${inSegment}))`,
      [userId, conversationId],
    );
  }

  /** Tombstones segments claimed during a deletion, which did not find them: they may contain the deleted messages. */
  async tombstoneClaimedSince(userId: number, deletionBegan: Date): Promise<void> {
    const claimedAt = MoreThanOrEqual(new Date(deletionBegan.getTime() - MAX_SKEW_MS));
    await this.segments.update({ userId, tombstoned: false, claimedAt }, { tombstoned: true });
  }
}
