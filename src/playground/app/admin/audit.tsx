import type { AuditEvent } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { formatTime, t } from '../i18n/i18n.js';
import { Skeleton } from '../ui/skeleton.js';

/** The audit trail, for administrators. */
export function Audit() {
  const [events, setEvents] = useState<readonly AuditEvent[] | null>(null);
  const [hasMore, setHasMore] = useState(false);
  const read = async () => {
    const before_id = events?.at(-1)?.id;
    const page = await report(parley.rest.listAuditEvents({ query: { before_id } }));
    if (!page) return;
    setEvents([...(events ?? []), ...page.events]);
    setHasMore(page.has_more);
  };
  useEffect(() => void read(), []);
  return (
    <>
      <p class="muted">{t.auditText}</p>
      {!events && <Skeleton lines={3} />}
      <ul class="rows">
        {events?.map((event) => (
          <li key={event.id}>
            <div class="about">
              <strong>{event.action}</strong>
              <p class="muted">{about(event)}</p>
            </div>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" onClick={() => void read()}>
          {t.more}
        </button>
      )}
    </>
  );
}

function about({ at, user_id, target_user_id, address, details }: AuditEvent): string {
  const parts = [
    formatTime(at),
    user_id !== null && t.byUser(user_id),
    target_user_id !== null && t.onUser(target_user_id),
    address,
    details && JSON.stringify(details),
  ];
  return parts.filter(Boolean).join(' · ');
}
