import type { ConversationSnapshot, ConversationStore } from '@parley/client';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { report } from '../client/notices.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import { Message } from './message.js';
import type { StickToBottom } from './stick-to-bottom.js';

interface ThreadProps {
  store: ConversationStore;
  snapshot: ConversationSnapshot;
  scroll: StickToBottom;
  messageId: number | null;
}

export function Thread({ store, snapshot, scroll, messageId }: ThreadProps) {
  const { messages, hasMore } = snapshot;
  useSteadyPrepend(scroll, messages[0]?.key);
  useTarget(store, snapshot, scroll, messageId);
  return (
    <div class="thread">
      <div ref={scroll.scroller} class="scroller" role="region" aria-label={t.messages} tabIndex={0}>
        <div ref={scroll.content} class="column">
          {hasMore && (
            <button type="button" class="quiet" onClick={() => void report(store.loadEarlier())}>
              {t.loadEarlier}
            </button>
          )}
          {messages.map((message) => (
            <Message key={message.key} message={message} store={store} />
          ))}
        </div>
      </div>
      {!scroll.isAtBottom && (
        <IconButton icon="down" label={t.jumpToNewest} class="jump" onClick={scroll.jump} />
      )}
    </div>
  );
}

/** Keeps what is read in its place when earlier messages are inserted above it. */
function useSteadyPrepend({ scroller, content }: StickToBottom, firstKey: string | undefined): void {
  const first = useRef<HTMLElement | null>(null);
  const top = useRef(0);
  useLayoutEffect(() => {
    const isPrepended = first.current?.isConnected && first.current !== firstOf(content.current);
    if (isPrepended) scroller.current!.scrollTop += first.current!.offsetTop - top.current;
    first.current = firstOf(content.current);
    top.current = first.current?.offsetTop ?? 0;
  }, [firstKey]);
}

const firstOf = (content: HTMLElement | null) => content?.querySelector<HTMLElement>('article') ?? null;

/** Brings a message into view; reads earlier pages, or changes the branch, until it is there. */
function useTarget(
  store: ConversationStore,
  { messages, hasMore, status }: ConversationSnapshot,
  { release }: StickToBottom,
  messageId: number | null,
): void {
  const shown = useRef<number | null>(null);
  const activated = useRef<number | null>(null);
  useEffect(() => {
    if (messageId === null || status !== 'ready' || shown.current === messageId) return;
    const element = document.getElementById(`message-${messageId}`);
    const firstId = messages[0]?.id ?? 0;
    if (element) {
      shown.current = messageId;
      release();
      element.scrollIntoView({ block: 'center', behavior: 'instant' });
      element.focus({ preventScroll: true });
    } else if (hasMore && firstId > messageId) {
      void report(store.loadEarlier());
    } else if (activated.current !== messageId) {
      activated.current = messageId;
      void report(store.activate(messageId));
    }
  }, [messageId, messages, status]);
}
