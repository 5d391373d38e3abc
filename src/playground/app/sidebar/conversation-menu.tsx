import type { Conversation } from '@parley/client';
import { notice, report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { route, startNewChat } from '../client/route.js';
import { t } from '../i18n/i18n.js';
import { ask } from '../ui/ask.js';
import { Menu, type MenuItem } from '../ui/menu.js';

export function ConversationMenu({ conversation }: { conversation: Conversation }) {
  const { id, title, pinned, archived } = conversation;
  const pin = () => void report(parley.conversations.pin(id, !pinned));
  const items: MenuItem[] = [
    { icon: 'edit', label: t.rename, onSelect: () => void rename(conversation) },
    { icon: 'pin', label: pinned ? t.unpin : t.pin, onSelect: pin },
    {
      icon: 'archive',
      label: archived ? t.unarchive : t.archive,
      onSelect: () => void report(archive(id, !archived)),
    },
    { icon: 'trash', label: t.delete, isDangerous: true, onSelect: () => void remove(conversation) },
  ];
  return <Menu label={t.moreFor(title)} items={items} />;
}

async function rename({ id, title }: Conversation): Promise<void> {
  const input = { label: t.title, value: title };
  const answer = await ask({ title: t.renameTitle, action: t.rename, input });
  if (answer?.trim()) await report(parley.conversations.rename(id, answer.trim()));
}

async function archive(id: number, archived: boolean): Promise<void> {
  await parley.conversations.archive(id, archived);
  if (archived) notice.set(t.archivedNotice);
}

async function remove({ id, title }: Conversation): Promise<void> {
  const answer = await ask({
    title: t.deleteTitle(title),
    text: t.deleteText,
    action: t.delete,
    isDangerous: true,
  });
  if (answer === null) return;
  await report(parley.conversations.delete(id));
  if (route.getSnapshot().conversationId === id) startNewChat();
}
