import type { Config, UsageGroup, UsageRow } from '@parley/client';
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { configs } from '../client/configs.js';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { useStore } from '../client/store.js';
import { formatDate, formatNumber, t } from '../i18n/i18n.js';
import { Skeleton } from '../ui/skeleton.js';

const GROUPS: Record<UsageGroup, string> = {
  day: t.day,
  user: t.user,
  model: t.modelName,
  config: t.model,
};

interface UsageReportProps {
  groups: readonly UsageGroup[];
  read: (group: UsageGroup) => Promise<UsageRow[]>;
}

/** A table of usage with a choice of what the rows are sums by. */
export function UsageReport({ groups, read }: UsageReportProps) {
  const [group, setGroup] = useState<UsageGroup>('day');
  const [rows, setRows] = useState<readonly UsageRow[] | null>(null);
  useEffect(() => {
    let isCurrent = true;
    setRows(null);
    void report(read(group)).then((found) => isCurrent && found && setRows(found));
    return () => void (isCurrent = false);
  }, [group]);
  return (
    <>
      <select
        class="pill"
        aria-label={t.groupBy}
        onChange={({ currentTarget }) => setGroup(currentTarget.value as UsageGroup)}
      >
        {groups.map((each) => (
          <option key={each} value={each}>
            {t.by(GROUPS[each])}
          </option>
        ))}
      </select>
      {!rows && <Skeleton lines={3} />}
      {rows?.length === 0 && <p>{t.noUsage}</p>}
      {rows && rows.length > 0 && <Table group={group} rows={rows} />}
    </>
  );
}

/** Rows shown at first: at least the days of a report, and as many requests for names. */
const PAGE_SIZE = 30;

const COLUMNS = ['replies', 'prompt_tokens', 'completion_tokens'] as const;

function Table({ group, rows }: { group: UsageGroup; rows: readonly UsageRow[] }) {
  const known = useStore(configs) ?? [];
  const [count, setCount] = useState(PAGE_SIZE);
  const sorted = group === 'day' ? [...rows].reverse() : [...rows].sort((a, b) => tokensOf(b) - tokensOf(a));
  return (
    <div class="usage" role="region" aria-label={t.usage} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {[GROUPS[group], t.replies, t.promptTokens, t.completionTokens].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, count).map((row, index) => (
            <Row key={index} name={nameOf(group, row, known)} row={row} />
          ))}
        </tbody>
        <tfoot>
          <Row name={t.total} row={sumOf(rows)} />
        </tfoot>
      </table>
      {sorted.length > count && (
        <button type="button" onClick={() => setCount(count + PAGE_SIZE)}>
          {t.more}
        </button>
      )}
    </div>
  );
}

type Sums = Pick<UsageRow, (typeof COLUMNS)[number]>;

const tokensOf = ({ prompt_tokens, completion_tokens }: Sums) => prompt_tokens + completion_tokens;

const Row = ({ name, row }: { name: ComponentChildren; row: Sums }) => (
  <tr>
    <th scope="row">{name}</th>
    {COLUMNS.map((column) => (
      <td key={column}>{formatNumber(row[column])}</td>
    ))}
  </tr>
);

function sumOf(rows: readonly UsageRow[]): Sums {
  const sum = (column: keyof Sums) => rows.reduce((total, row) => total + row[column], 0);
  return {
    replies: sum('replies'),
    prompt_tokens: sum('prompt_tokens'),
    completion_tokens: sum('completion_tokens'),
  };
}

function nameOf(group: UsageGroup, row: UsageRow, known: readonly Config[]): ComponentChildren {
  const { date = '', user_id: userId, model_name = '', config_id: configId } = row;
  if (group === 'day') return formatDate(date);
  if (group === 'user') return userId ? <UserName key={userId} id={userId} /> : t.deletedUsers;
  if (group === 'model') return model_name;
  if (!configId) return t.demoModel;
  return known.find(({ id }) => id === configId)?.name ?? t.configNumber(configId);
}

/** The email address, or the username of a user without one; the id until it is read. */
function UserName({ id }: { id: number }) {
  const [name, setName] = useState(t.userNumber(id));
  useEffect(() => {
    void parley.rest.getUser({ path: { id } }).then(
      ({ email, username }) => setName(email ?? username),
      () => undefined,
    );
  }, [id]);
  return name;
}
