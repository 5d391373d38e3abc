import type { User } from '@parley/client';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { Chat } from '../chat/chat.js';
import { route } from '../client/route.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { Settings, type SettingsTab } from '../settings/settings.js';
import { Sidebar } from '../sidebar/sidebar.js';
import { NewChat } from '../chat/new-chat.js';
import { useShortcuts } from './shortcuts.js';

/** As in layout.css: below it, the sidebar is a drawer. */
const NARROW = matchMedia('(max-width: 50rem)');

export function Workspace({ user }: { user: User }) {
  const { conversationId, messageId } = useStore(route);
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const [settings, setSettings] = useState<SettingsTab | null>(null);
  const closeDrawer = useCallback(() => setDrawerOpen(false), []);
  const openDrawer = useCallback(() => setDrawerOpen(NARROW.matches), []);
  const openModels = useCallback(() => setSettings('models'), []);
  useShortcuts(openDrawer);
  useEffect(() => {
    NARROW.addEventListener('change', closeDrawer);
    return () => NARROW.removeEventListener('change', closeDrawer);
  }, []);
  useEffect(closeDrawer, [conversationId, messageId]);
  const props = { onOpenDrawer: openDrawer, onOpenModels: openModels };
  return (
    <div class={isDrawerOpen ? 'workspace drawer-open' : 'workspace'}>
      <a class="skip-link" href="#message" onClick={focusComposer}>
        {t.skipToMessage}
      </a>
      <Sidebar
        user={user}
        isOpen={isDrawerOpen}
        onClose={closeDrawer}
        onSettings={() => setSettings('models')}
      />
      <div class="backdrop" onClick={closeDrawer} />
      <main inert={isDrawerOpen}>
        {conversationId ? (
          <Chat key={conversationId} id={conversationId} messageId={messageId} {...props} />
        ) : (
          <NewChat user={user} {...props} />
        )}
      </main>
      {settings && (
        <Settings user={user} tab={settings} onTab={setSettings} onClose={() => setSettings(null)} />
      )}
    </div>
  );
}

function focusComposer(event: Event): void {
  event.preventDefault();
  document.getElementById('message')?.focus();
}
