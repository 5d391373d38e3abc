import type { User } from '@parley/client';
import { useEffect } from 'preact/hooks';
import { draftSettings } from '../client/drafts.js';
import {
  type FirstMessages,
  firstMessages,
  removeFirst,
  retryFirst,
  sendFirst,
} from '../client/first-messages.js';
import { useStore } from '../client/store.js';
import { UploadList } from '../files/upload-list.js';
import { t } from '../i18n/i18n.js';
import type { ChatProps } from './chat.js';
import { ChatHeader } from './chat-header.js';
import { ChatSettingsButton } from './chat-settings.js';
import { Composer } from './composer.js';
import { ConfigSelect } from './config-select.js';
import { ConnectionBanner } from './connection-banner.js';
import { Undelivered } from './undelivered.js';

/** A new chat. The first message creates the conversation. */
export function NewChat({ user, onOpenDrawer, onOpenModels }: ChatProps & { user: User }) {
  const settings = useStore(draftSettings);
  const first = useStore(firstMessages);
  useEffect(() => {
    document.title = t.appName;
  }, []);
  return (
    <>
      <ChatHeader title={t.newChat} onOpenDrawer={onOpenDrawer}>
        <ChatSettingsButton />
      </ChatHeader>
      <ConnectionBanner />
      {first.messages.length > 0 ? <FirstMessagesList {...first} /> : <Greeting user={user} />}
      <Composer draftKey={null} isFocused onSend={sendFirst}>
        <ConfigSelect
          value={settings.config_id}
          onChange={(config_id) => draftSettings.set({ ...settings, config_id })}
          onOpenModels={onOpenModels}
        />
      </Composer>
    </>
  );
}

function Greeting({ user }: { user: User }) {
  return (
    <div class="scroller empty">
      <h2>{t.greeting(user.username)}</h2>
      <p class="muted">{t.greetingText}</p>
      <ul class="suggestions">
        {t.suggestions.map(({ title, text }) => (
          <li key={title}>
            <button type="button" onClick={() => sendFirst(text)}>
              <strong>{title}</strong>
              <span class="muted">{text}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The messages of a chat whose conversation does not exist yet. */
function FirstMessagesList({ messages, failure }: FirstMessages) {
  return (
    <div class="thread">
      <div class="scroller" role="region" aria-label={t.messages} tabIndex={0}>
        <div class="column">
          {messages.map(({ key, text, files }) => (
            <article
              key={key}
              class={`message user ${failure ? 'rejected' : 'sending'}`}
              aria-label={t.you}
              tabIndex={-1}
            >
              {files.length > 0 && <UploadList uploads={files} />}
              {text && (
                <div class="bubble" dir="auto">
                  {text}
                </div>
              )}
              <Undelivered failure={failure} onRetry={retryFirst} onRemove={() => removeFirst(key)} />
            </article>
          ))}
        </div>
      </div>
    </div>
  );
}
