import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type SelectQueryBuilder } from 'typeorm';
import { Session } from '../../auth/sessions/session.entity.js';
import { Conversation } from '../../conversations/conversation.entity.js';

export interface UserStatistics {
  sessions: number;
  messages: number;
}

/** Counts what users own, a page of users at a time, by indexes that begin with the user. */
@Injectable()
export class UserStatisticsService {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** @returns the statistics in the order of the ids */
  async of(userIds: number[]): Promise<UserStatistics[]> {
    if (userIds.length === 0) return [];
    const [sessions, messages] = await Promise.all([
      byUser(this.querySessions(userIds)),
      byUser(this.queryMessages(userIds)),
    ]);
    return userIds.map((id) => ({ sessions: sessions.get(id) ?? 0, messages: messages.get(id) ?? 0 }));
  }

  querySessions(userIds: number[]): SelectQueryBuilder<Session> {
    return this.dataSource
      .createQueryBuilder(Session, 'session')
      .select('session.userId', 'user_id')
      .addSelect('COUNT(*)', 'count')
      .where('session.userId IN (:...userIds)', { userIds })
      .andWhere('session.expiresAt > :now', { now: new Date() })
      .groupBy('session.userId');
  }

  /** Sums the conversations' counts, because counting rows of messages takes time in proportion to them. */
  queryMessages(userIds: number[]): SelectQueryBuilder<Conversation> {
    return this.dataSource
      .createQueryBuilder(Conversation, 'conversation')
      .select('conversation.userId', 'user_id')
      .addSelect('SUM(conversation.messageCount)', 'count')
      .where('conversation.userId IN (:...userIds)', { userIds })
      .groupBy('conversation.userId');
  }
}

async function byUser(query: SelectQueryBuilder<Session> | SelectQueryBuilder<Conversation>) {
  const rows = await query.getRawMany<{ user_id: number | string; count: number | string }>();
  return new Map(rows.map(({ user_id, count }) => [Number(user_id), Number(count)]));
}
