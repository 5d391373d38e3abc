import type { User } from '@parley/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import { startNewChat } from '../client/route.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import { useEscape } from '../ui/escape.js';
import { Icon } from '../ui/icons.js';
import { Logo } from '../ui/logo.js';
import { Archived } from './archived.js';
import { ConversationList } from './conversation-list.js';
import { SearchResults } from './search-results.js';

interface SidebarProps {
  user: User;
  isOpen: boolean;
  onClose: () => void;
  onSettings: () => void;
}

/** The conversations, and the search in them; a drawer on narrow screens. */
export function Sidebar({ user, isOpen, onClose, onSettings }: SidebarProps) {
  const ref = useRef<HTMLElement>(null);
  const [query, setQuery] = useState('');
  const [isArchiveOpen, setArchiveOpen] = useState(false);
  useDrawerFocus(ref, isOpen);
  useEscape(isOpen ? onClose : undefined);
  const newChat = () => {
    setQuery('');
    startNewChat();
    onClose();
  };
  return (
    <aside ref={ref} class="sidebar" aria-label={t.conversations}>
      <div class="sidebar-head">
        <Logo />
        <IconButton icon="close" label={t.closeSidebar} class="narrow-only" onClick={onClose} />
      </div>
      <button type="button" class="new-chat" onClick={newChat}>
        <Icon name="plus" />
        {t.newChat}
      </button>
      <SearchField query={query} onQuery={setQuery} />
      <nav class="conversations" aria-label={t.conversations} onKeyDown={moveFocus}>
        {query.trim() ? <SearchResults query={query.trim()} /> : <ConversationList />}
      </nav>
      <div class="sidebar-foot">
        <button type="button" onClick={() => setArchiveOpen(true)}>
          <Icon name="archive" />
          {t.archived}
        </button>
        <button type="button" onClick={onSettings}>
          <Icon name="gear" />
          {t.settings}
          <span class="muted user-name">{user.username}</span>
        </button>
      </div>
      {isArchiveOpen && <Archived onClose={() => setArchiveOpen(false)} />}
    </aside>
  );
}

function SearchField({ query, onQuery }: { query: string; onQuery: (query: string) => void }) {
  return (
    <div class="search" role="search">
      <Icon name="search" />
      <input
        id="search"
        type="search"
        autocomplete="off"
        aria-label={t.search}
        placeholder={t.search}
        aria-keyshortcuts="Control+K Meta+K"
        value={query}
        onInput={(event) => onQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') document.querySelector<HTMLElement>('.conversations a')?.focus();
          if (event.key === 'Escape') onQuery('');
        }}
      />
      <kbd class="wide-only" aria-hidden="true">
        {t.searchShortcut}
      </kbd>
    </div>
  );
}

/** Arrow keys move between the conversations. */
function moveFocus(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const target = event.target as HTMLElement;
  if (!step || target.localName !== 'a') return;
  event.preventDefault();
  const links = [...(event.currentTarget as HTMLElement).querySelectorAll('a')];
  const next = links.indexOf(target as HTMLAnchorElement) + step;
  if (next < 0) document.getElementById('search')?.focus();
  else links[next]?.focus();
}

/** Moves the focus into the drawer, and back to where it was. */
function useDrawerFocus(ref: { current: HTMLElement | null }, isOpen: boolean): void {
  useEffect(() => {
    if (!isOpen) return;
    const before = document.activeElement as HTMLElement | null;
    ref.current?.querySelector<HTMLElement>('button, a')?.focus();
    return () => {
      if (ref.current?.contains(document.activeElement)) before?.focus();
    };
  }, [isOpen]);
}
