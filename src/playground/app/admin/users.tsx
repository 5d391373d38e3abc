import type { AdminUser, AdminUserList, User } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { formatTime, t } from '../i18n/i18n.js';
import { ask } from '../ui/ask.js';
import { PAGE_SIZE, Pages } from '../ui/pages.js';
import { Skeleton } from '../ui/skeleton.js';

/** How long typing pauses before a search. */
const PAUSE_MS = 250;

/** Users, for administrators. */
export function Users({ self }: { self: User }) {
  const [q, setQuery] = useState('');
  const [offset, setOffset] = useState(0);
  const [list, setList] = useState<AdminUserList | null>(null);
  const read = async () => {
    const found = await report(parley.rest.listUsers({ query: { q, offset, limit: PAGE_SIZE } }));
    if (found) setList(found);
  };
  useEffect(() => {
    const timer = setTimeout(() => void read(), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [q, offset]);
  const search = (event: Event) => {
    setOffset(0);
    setQuery((event.currentTarget as HTMLInputElement).value);
  };
  return (
    <>
      <div class="field">
        <input type="search" aria-label={t.searchUsers} placeholder={t.searchUsers} onInput={search} />
      </div>
      {!list && <Skeleton lines={3} />}
      <p class="muted" role="status">
        {list && t.userCount(list.total)}
      </p>
      <ul class="rows">
        {list?.users.map((user) => (
          <Row key={user.id} user={user} isSelf={user.id === self.id} onChange={read} />
        ))}
      </ul>
      {list && <Pages total={list.total} offset={offset} onOffset={setOffset} />}
    </>
  );
}

interface RowProps {
  user: AdminUser;
  isSelf: boolean;
  onChange: () => Promise<void>;
}

function Row({ user, isSelf, onChange }: RowProps) {
  const { username, email, role, disabled, last_seen_at, conversations, messages } = user;
  return (
    <li>
      <div class="about">
        <strong>{username}</strong> {role === 'admin' && <span class="badge">{t.administrator}</span>}{' '}
        {disabled && <span class="badge">{t.disabled}</span>}
        <p class="muted">
          {email} · {t.userCounts(conversations, messages)}
          {last_seen_at && ` · ${t.lastSeen(formatTime(last_seen_at))}`}
        </p>
      </div>
      {!isSelf && <Actions user={user} onChange={onChange} />}
    </li>
  );
}

function Actions({ user, onChange }: Omit<RowProps, 'isSelf'>) {
  const { id, username, role, disabled, sessions, second_factor } = user;
  const call = { path: { id } };
  const { rest } = parley;
  const run = (work: Promise<unknown>) => void report(work).then(onChange);
  const setRole = (role: 'user' | 'admin') => run(rest.changeUserRole({ ...call, body: { role } }));
  const confirm = async (title: string, text: string, action: string, act: () => Promise<unknown>) => {
    if ((await ask({ title, text, action, isDangerous: true })) !== null) run(act());
  };
  const remove = () =>
    confirm(t.deleteUserTitle(username), t.deleteUserText, t.delete, () => rest.deleteUser(call));
  const turnOff = () =>
    confirm(`${t.actionOn(t.turnOff, username)}?`, t.turnOffText, t.turnOff, () => rest.removeUserTotp(call));
  const actions: [label: string, onClick: () => void][] = [
    disabled ? [t.enable, () => run(rest.enableUser(call))] : [t.disable, () => run(rest.disableUser(call))],
    role === 'admin'
      ? [t.removeAdministrator, () => setRole('user')]
      : [t.makeAdministrator, () => setRole('admin')],
    ...(sessions > 0 ? [[t.signOut, () => run(rest.revokeUserSessions(call))] as [string, () => void]] : []),
    ...(second_factor ? [[t.turnOff, () => void turnOff()] as [string, () => void]] : []),
    [t.delete, () => void remove()],
  ];
  return actions.map(([label, onClick]) => (
    <button key={label} type="button" aria-label={t.actionOn(label, username)} onClick={onClick}>
      {label}
    </button>
  ));
}
