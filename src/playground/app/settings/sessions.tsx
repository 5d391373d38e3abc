import type { Session } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { formatTime, t } from '../i18n/i18n.js';
import { Skeleton } from '../ui/skeleton.js';

export function Sessions() {
  const [sessions, setSessions] = useState<readonly Session[] | null>(null);
  const read = async () => setSessions((await report(parley.rest.listSessions()))?.sessions ?? []);
  useEffect(() => void read(), []);
  const revoke = (id: number) => void report(parley.rest.revokeSession({ path: { id } })).then(read);
  const revokeOthers = () => void report(parley.rest.revokeOtherSessions()).then(read);
  return (
    <>
      <p class="muted">{t.sessionsText}</p>
      {!sessions && <Skeleton lines={3} />}
      <ul class="rows">
        {sessions?.map((session) => (
          <Row key={session.id} session={session} onRevoke={() => revoke(session.id)} />
        ))}
      </ul>
      {sessions && sessions.length > 1 && (
        <button type="button" onClick={revokeOthers}>
          {t.revokeOthers}
        </button>
      )}
    </>
  );
}

function Row({ session, onRevoke }: { session: Session; onRevoke: () => void }) {
  const { current, ip, last_used_at, user_agent } = session;
  const device = deviceOf(user_agent);
  return (
    <li>
      <div class="about">
        <strong>{device}</strong> {current && <span class="badge">{t.thisSession}</span>}
        <p class="muted">
          {ip} · {t.lastUsed(formatTime(last_used_at))}
        </p>
      </div>
      {!current && (
        <button type="button" aria-label={t.revokeNamed(device)} onClick={onRevoke}>
          {t.revoke}
        </button>
      )}
    </li>
  );
}

/** Browser and system, as far as the user agent names them: most browsers name others too. */
function deviceOf(userAgent: string): string {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)[\w/]*/.exec(userAgent)?.[1];
  const system = /(iPhone|iPad|Android|Windows|Mac OS|Linux)/.exec(userAgent)?.[1];
  const name = { Edg: 'Edge', OPR: 'Opera' }[browser ?? ''] ?? browser;
  return [name, system].filter(Boolean).join(' · ') || userAgent.slice(0, 40) || t.unknownDevice;
}
