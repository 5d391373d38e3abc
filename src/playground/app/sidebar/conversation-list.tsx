import type { Conversation } from '@parley/client';
import { memo } from 'preact/compat';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { pathOf, route } from '../client/route.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { Skeleton } from '../ui/skeleton.js';
import { ConversationMenu } from './conversation-menu.js';

export function ConversationList() {
  const { conversations, hasMore, status, error } = useStore(parley.conversations);
  const { conversationId } = useStore(route);
  const sections = [
    { title: t.pinned, items: conversations.filter(({ pinned }) => pinned) },
    { title: t.recent, items: conversations.filter(({ pinned }) => !pinned) },
  ];
  if (status === 'idle' || (status === 'loading' && conversations.length === 0))
    return <Skeleton lines={6} />;
  if (error && conversations.length === 0) return <Retry />;
  if (conversations.length === 0) return <p class="muted empty-list">{t.noConversations}</p>;
  return (
    <>
      {sections.map(
        ({ title, items }) =>
          items.length > 0 && (
            <section key={title}>
              <h2>{title}</h2>
              <ul>
                {items.map((each) => (
                  <Item key={each.id} conversation={each} isCurrent={each.id === conversationId} />
                ))}
              </ul>
            </section>
          ),
      )}
      {hasMore && (
        <button type="button" class="quiet" onClick={() => void report(parley.conversations.loadMore())}>
          {t.loadMore}
        </button>
      )}
    </>
  );
}

const Item = memo(({ conversation, isCurrent }: { conversation: Conversation; isCurrent: boolean }) => (
  <li class={isCurrent ? 'item current' : 'item'}>
    <a
      href={pathOf(conversation.id)}
      aria-current={isCurrent ? 'page' : undefined}
      title={conversation.title}
    >
      {conversation.title}
    </a>
    <ConversationMenu conversation={conversation} />
  </li>
));

function Retry() {
  return (
    <button type="button" class="quiet" onClick={() => void report(parley.conversations.refresh())}>
      {t.retry}
    </button>
  );
}
