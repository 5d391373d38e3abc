import type { User } from '@parley/client';
import { useEffect } from 'preact/hooks';
import { Audit } from '../admin/audit.js';
import { Invitations } from '../admin/invitations.js';
import { SharedModels } from './shared-models.js';
import { Users } from '../admin/users.js';
import { parley } from '../client/parley.js';
import { t } from '../i18n/i18n.js';
import { Dialog } from '../ui/dialog.js';
import { Account } from './account.js';
import { Models } from './models.js';
import { Sessions } from './sessions.js';
import { Usage } from './usage.js';

const TABS = { models: t.model, account: t.account, sessions: t.sessions, usage: t.usage };
const ADMIN_TABS = {
  users: t.users,
  invitations: t.invitations,
  sharedModels: t.sharedModels,
  audit: t.audit,
};

export type SettingsTab = keyof typeof TABS | keyof typeof ADMIN_TABS;

interface SettingsProps {
  user: User;
  tab: SettingsTab;
  onTab: (tab: SettingsTab) => void;
  onClose: () => void;
}

export function Settings({ user, tab, onTab, onClose }: SettingsProps) {
  // The role may have changed since the user signed in.
  useEffect(() => void parley.auth.reload().catch(() => undefined), []);
  const tabs = user.role === 'admin' ? { ...TABS, ...ADMIN_TABS } : TABS;
  return (
    <Dialog title={t.settings} onClose={onClose} isWide>
      <nav class="tabs" aria-label={t.settings}>
        {Object.entries(tabs).map(([name, label]) => (
          <button
            key={name}
            type="button"
            aria-current={name === tab ? 'page' : undefined}
            onClick={() => onTab(name as SettingsTab)}
          >
            {label}
          </button>
        ))}
      </nav>
      <div class="tab">
        {tab === 'models' && <Models />}
        {tab === 'account' && <Account user={user} />}
        {tab === 'sessions' && <Sessions />}
        {tab === 'usage' && <Usage user={user} />}
        {tab === 'users' && <Users self={user} />}
        {tab === 'invitations' && <Invitations />}
        {tab === 'sharedModels' && <SharedModels />}
        {tab === 'audit' && <Audit />}
      </div>
    </Dialog>
  );
}
