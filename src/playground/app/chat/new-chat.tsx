import type { Upload, User } from '@parley/client';
import { useEffect } from 'preact/hooks';
import { draftSettings, keepDraftText, NO_SETTINGS } from '../client/drafts.js';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { openConversation } from '../client/route.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import type { ChatProps } from './chat.js';
import { ChatHeader } from './chat-header.js';
import { ChatSettingsButton } from './chat-settings.js';
import { Composer } from './composer.js';
import { ConfigSelect } from './config-select.js';
import { ConnectionBanner } from './connection-banner.js';

/** An empty chat. The first message creates the conversation. */
export function NewChat({ user, onOpenDrawer, onOpenModels }: ChatProps & { user: User }) {
  const settings = useStore(draftSettings);
  useEffect(() => {
    document.title = t.appName;
  }, []);
  return (
    <>
      <ChatHeader title={t.newChat} onOpenDrawer={onOpenDrawer}>
        <ChatSettingsButton />
      </ChatHeader>
      <ConnectionBanner />
      <div class="scroller empty">
        <h2>{t.greeting(user.username)}</h2>
        <p class="muted">{t.greetingText}</p>
        <ul class="suggestions">
          {t.suggestions.map(({ title, text }) => (
            <li key={title}>
              <button type="button" onClick={() => void begin(text)}>
                <strong>{title}</strong>
                <span class="muted">{text}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
      <Composer draftKey={null} isFocused onSend={begin}>
        <ConfigSelect
          value={settings.config_id}
          onChange={(config_id) => draftSettings.set({ ...settings, config_id })}
          onOpenModels={onOpenModels}
        />
      </Composer>
    </>
  );
}

/** @returns whether the conversation was created */
async function begin(text: string, files: Upload[] = []): Promise<boolean> {
  const conversation = await report(parley.conversations.create(draftSettings.getSnapshot()));
  if (!conversation) return false;
  parley.conversation(conversation.id).send(text, { files });
  keepDraftText(null, '');
  draftSettings.set(NO_SETTINGS);
  openConversation(conversation.id);
  return true;
}
