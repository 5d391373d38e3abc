import type { Conversation } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { pathOf } from '../client/route.js';
import { t } from '../i18n/i18n.js';
import { Dialog } from '../ui/dialog.js';
import { Skeleton } from '../ui/skeleton.js';

const PAGE = 100;

export function Archived({ onClose }: { onClose: () => void }) {
  const [conversations, setConversations] = useState<readonly Conversation[] | null>(null);
  const read = async () => {
    const page = await report(parley.rest.listConversations({ query: { archived: true, limit: PAGE } }));
    setConversations(page?.conversations ?? []);
  };
  useEffect(() => void read(), []);
  const restore = (id: number) => void report(parley.conversations.archive(id, false)).then(read);
  return (
    <Dialog title={t.archivedTitle} onClose={onClose}>
      {!conversations && <Skeleton lines={3} />}
      {conversations?.length === 0 && <p class="muted">{t.noArchived}</p>}
      <ul class="rows">
        {conversations?.map(({ id, title }) => (
          <li key={id}>
            <a href={pathOf(id)} onClick={onClose}>
              {title}
            </a>
            <button type="button" aria-label={`${t.unarchive}: ${title}`} onClick={() => restore(id)}>
              {t.unarchive}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
