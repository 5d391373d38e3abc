import type { ConversationStatus, Upload } from '@parley/client';
import { useEffect } from 'preact/hooks';
import { notice, report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { startNewChat } from '../client/route.js';
import { useStoreByFrame } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { ConversationMenu } from '../sidebar/conversation-menu.js';
import { Skeleton } from '../ui/skeleton.js';
import { Announcer } from './announcer.js';
import { ChatHeader } from './chat-header.js';
import { ChatSettingsButton } from './chat-settings.js';
import { Composer } from './composer.js';
import { ConfigSelect } from './config-select.js';
import { ConnectionBanner } from './connection-banner.js';
import { useStickToBottom } from './stick-to-bottom.js';
import { Thread } from './thread.js';

export interface ChatProps {
  onOpenDrawer: () => void;
  onOpenModels: () => void;
}

interface ExistingChatProps extends ChatProps {
  id: number;
  /** A message to show. */
  messageId: number | null;
}

/** One conversation: its thread and the field for the next message. */
export function Chat({ id, messageId, onOpenDrawer, onOpenModels }: ExistingChatProps) {
  const store = parley.conversation(id);
  const snapshot = useStoreByFrame(store);
  const scroll = useStickToBottom();
  const { conversation, status, running } = snapshot;
  useTitle(conversation?.title);
  useDeletion(status);
  const send = (text: string, files: Upload[]) => {
    store.send(text, { files });
    scroll.jump();
  };
  const choose = (config_id: number | null) => void report(parley.conversations.update(id, { config_id }));
  return (
    <>
      <ChatHeader title={conversation?.title ?? ''} onOpenDrawer={onOpenDrawer}>
        {conversation && <ChatSettingsButton conversation={conversation} />}
        {conversation && <ConversationMenu conversation={conversation} />}
      </ChatHeader>
      <ConnectionBanner />
      {status === 'failed' && <p class="empty">{t.notFound}</p>}
      {status === 'loading' && <Skeleton lines={5} />}
      <Thread store={store} snapshot={snapshot} scroll={scroll} messageId={messageId} />
      <Composer
        draftKey={id}
        isFocused={messageId === null}
        isDisabled={status === 'failed'}
        onSend={send}
        onStop={running ? () => void report(store.stop()) : undefined}
      >
        <ConfigSelect value={conversation?.config_id ?? null} onChange={choose} onOpenModels={onOpenModels} />
      </Composer>
      <Announcer running={running} messages={snapshot.messages} />
    </>
  );
}

function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · ${t.appName}` : t.appName;
  }, [title]);
}

/** Leaves a conversation that another tab or device has deleted. */
function useDeletion(status: ConversationStatus): void {
  useEffect(() => {
    if (status !== 'deleted') return;
    notice.set(t.deletedElsewhere);
    startNewChat();
  }, [status]);
}
