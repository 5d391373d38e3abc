import type { ComponentChildren } from 'preact';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';

interface ChatHeaderProps {
  title: string;
  onOpenDrawer: () => void;
  children: ComponentChildren;
}

export function ChatHeader({ title, onOpenDrawer, children }: ChatHeaderProps) {
  return (
    <header class="chat-header">
      <IconButton icon="menu" label={t.openSidebar} class="narrow-only" onClick={onOpenDrawer} />
      <h1 title={title}>{title}</h1>
      {children}
    </header>
  );
}
