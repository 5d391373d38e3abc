import type { QueryDeepPartialEntity } from 'typeorm';
import { foldText } from '../common/text/fold-text.js';
import type { UpdateConversationDto } from './conversation.dto.js';
import type { Conversation } from './conversation.entity.js';

export type ConversationChanges = QueryDeepPartialEntity<Conversation> & { archived?: boolean };

/**
 * Computes the columns that an update changes. `updatedAt` is never one: only messages are activity.
 * @returns null if nothing differs
 */
export function changesTo(
  conversation: Conversation,
  dto: UpdateConversationDto,
): ConversationChanges | null {
  const changes = differing(conversation, {
    title: dto.title,
    titleSource: dto.title === undefined ? undefined : 'user',
    titleKey: dto.title === undefined ? undefined : foldText(dto.title),
    configId: dto.config_id,
    systemPrompt: dto.system_prompt,
    params: dto.params && { ...dto.params },
    pinned: dto.pinned,
    archived: dto.archived,
  });
  // TypeORM's type does not allow JSON columns.
  return Object.keys(changes).length === 0 ? null : (changes as ConversationChanges);
}

/** Picks the values that are given and not equal to the current ones. */
function differing(current: Conversation, values: Partial<Conversation>): Partial<Conversation> {
  const entries = Object.entries(values).filter(
    ([name, value]) =>
      value !== undefined && JSON.stringify(value) !== JSON.stringify(current[name as keyof Conversation]),
  );
  return Object.fromEntries(entries);
}
