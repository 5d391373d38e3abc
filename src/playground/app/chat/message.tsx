import { memo } from 'preact/compat';
import { t } from '../i18n/i18n.js';
import type { MessageProps } from './branches.js';
import { Reply } from './reply.js';
import { UserMessage } from './user-message.js';

/** Renders again only when its message has changed. */
export const Message = memo(({ message, store }: MessageProps) => {
  const isUser = message.role === 'user';
  return (
    <article
      id={message.id === null ? undefined : `message-${message.id}`}
      class={`message ${message.role} ${message.status}`}
      aria-label={isUser ? t.you : t.reply}
      tabIndex={-1}
    >
      {isUser ? <UserMessage message={message} store={store} /> : <Reply message={message} store={store} />}
    </article>
  );
});
