import type { Quota, UsageGroup, User } from '@parley/client';
import { useState } from 'preact/hooks';
import { configs } from '../client/configs.js';
import { parley } from '../client/parley.js';
import { useStore } from '../client/store.js';
import { formatNumber, formatTime, t } from '../i18n/i18n.js';
import { UsageReport } from './usage-report.js';

/** The tokens of 30 days: the user's own, or for administrators those of all users. */
export function Usage({ user }: { user: User }) {
  const [isOwn, setOwn] = useState(true);
  return (
    <>
      <p class="muted">{t.usageText}</p>
      {user.role === 'admin' && (
        <select
          class="pill"
          aria-label={t.usageOf}
          onChange={({ currentTarget }) => setOwn(currentTarget.value === 'own')}
        >
          <option value="own">{t.yourUsage}</option>
          <option value="all">{t.allUsage}</option>
        </select>
      )}
      {isOwn ? <OwnUsage /> : <AllUsage />}
    </>
  );
}

function OwnUsage() {
  const [quotas, setQuotas] = useState<readonly Quota[]>([]);
  const read = async (group: UsageGroup) => {
    const usage = await parley.rest.getMyUsage({ query: { group } });
    setQuotas(usage.quotas);
    return usage.rows;
  };
  return (
    <>
      {quotas.length > 0 && (
        <ul class="rows">
          {quotas.map((quota) => (
            <QuotaRow key={quota.config_id} quota={quota} />
          ))}
        </ul>
      )}
      <UsageReport groups={['day', 'model', 'config']} read={read} />
    </>
  );
}

function QuotaRow({ quota: { config_id, daily_tokens, used, resets_at } }: { quota: Quota }) {
  const config = useStore(configs)?.find(({ id }) => id === config_id);
  const left = formatNumber(Math.max(0, daily_tokens - used));
  return (
    <li>
      <div class="about">
        <strong>{config?.name ?? t.configNumber(config_id)}</strong>
        <p class="muted">{t.quotaLeft(left, formatNumber(daily_tokens), formatTime(resets_at))}</p>
      </div>
    </li>
  );
}

const AllUsage = () => (
  <UsageReport
    groups={['day', 'user', 'model', 'config']}
    read={async (group) => (await parley.rest.getUsage({ query: { group } })).rows}
  />
);
