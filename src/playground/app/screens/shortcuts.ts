import { useEffect } from 'preact/hooks';
import { startNewChat } from '../client/route.js';

/** Ctrl or ⌘ with K searches, with Shift and O starts a new chat. */
export function useShortcuts(openDrawer: () => void): void {
  useEffect(() => {
    const handle = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || document.querySelector('dialog[open]')) return;
      const key = event.key.toLowerCase();
      if (key === 'k') focusSearch(openDrawer);
      else if (key === 'o' && event.shiftKey) startNewChat();
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', handle);
    return () => removeEventListener('keydown', handle);
  }, []);
}

function focusSearch(openDrawer: () => void): void {
  openDrawer();
  const search = document.getElementById('search');
  search?.focus();
  // A drawer takes the focus from the next frame on.
  if (document.activeElement !== search) {
    requestAnimationFrame(() => requestAnimationFrame(() => search?.focus()));
  }
}
