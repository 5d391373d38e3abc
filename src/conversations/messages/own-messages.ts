import type { Repository, SelectQueryBuilder } from 'typeorm';
import { Message } from './message.entity.js';

/** Queries a user's messages along their index. MySQL would read the primary key, through all users' messages. */
export function ownMessages(
  messages: Repository<Message>,
  userId: number,
  order: 'ASC' | 'DESC',
): SelectQueryBuilder<Message> {
  return messages
    .createQueryBuilder('message')
    .useIndex('ix_messages_user_id')
    .where('message.userId = :userId', { userId })
    .orderBy('message.id', order);
}
