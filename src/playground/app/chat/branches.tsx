import type { ChatMessage, ConversationStore } from '@parley/client';
import { report } from '../client/notices.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';

export interface MessageProps {
  message: ChatMessage;
  store: ConversationStore;
}

/** Switches between the versions of a message: ‹ 2/3 ›. */
export function Branches({ message, store }: MessageProps) {
  const { id, sibling_ids: ids } = message;
  const index = ids.indexOf(id ?? 0);
  if (ids.length < 2 || index < 0) return null;
  const show = (at: number) => void report(store.activate(ids[at]!));
  return (
    <span class="branches" role="group" aria-label={t.branch(index + 1, ids.length)}>
      <IconButton
        icon="left"
        label={t.previousBranch}
        disabled={index === 0}
        onClick={() => show(index - 1)}
      />
      {index + 1}/{ids.length}
      <IconButton
        icon="right"
        label={t.nextBranch}
        disabled={index === ids.length - 1}
        onClick={() => show(index + 1)}
      />
    </span>
  );
}
