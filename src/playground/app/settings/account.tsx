import type { User } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { verifiesEmails } from '../client/deployment.js';
import { notice, report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { t } from '../i18n/i18n.js';
import { downloadText } from '../ui/download.js';
import { CurrentPassword, Field, Problem, useForm } from '../ui/form.js';
import { Identities } from './identities.js';
import { SecondFactor } from './second-factor.js';

export function Account({ user }: { user: User }) {
  return (
    <>
      <p>{t.signedInAs(user.username, user.email)}</p>
      {user.email !== null && !user.email_verified && <UnverifiedEmail />}
      <button type="button" onClick={() => void parley.auth.logout()}>
        {t.signOut}
      </button>
      <ChangePassword user={user} />
      <SecondFactor user={user} />
      <Identities />
      <section>
        <h3>{t.exportData}</h3>
        <p class="muted">{t.exportText}</p>
        <button type="button" onClick={() => void report(download())}>
          {t.exportButton}
        </button>
      </section>
      <DeleteAccount user={user} />
    </>
  );
}

/** Shows nothing where the server mails no links. */
function UnverifiedEmail() {
  const [isVerifiable, setVerifiable] = useState(false);
  const [isSent, setSent] = useState(false);
  useEffect(() => void verifiesEmails().then(setVerifiable), []);
  const { problem, isBusy, onSubmit } = useForm(async () => {
    try {
      await parley.auth.resendVerification();
      setSent(true);
    } finally {
      // The address may have been verified in another tab.
      await parley.auth.reload();
    }
  });
  if (!isVerifiable) return null;
  return (
    <form onSubmit={onSubmit}>
      <p class="muted">
        <span role="status">{isSent ? t.linkSent : t.emailUnverified}</span>{' '}
        <button class="link" disabled={isBusy}>
          {t.resendLink}
        </button>
      </p>
      <Problem text={problem} />
    </form>
  );
}

function ChangePassword({ user }: { user: User }) {
  const [round, setRound] = useState(0);
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ current_password, password = '' }) => {
    await parley.rest.changePassword({ body: { current_password, password } });
    notice.set(t.passwordChanged);
    setRound(round + 1);
  });
  return (
    <form key={round} onSubmit={onSubmit} noValidate>
      <h3>{t.changePassword}</h3>
      {user.has_password && <CurrentPassword errors={errors} />}
      <Field
        name="password"
        type="password"
        label={t.newPassword}
        hint={t.passwordHint}
        autocomplete="new-password"
        errors={errors}
      />
      <Problem text={problem} />
      <button disabled={isBusy}>{t.changePassword}</button>
    </form>
  );
}

function DeleteAccount({ user }: { user: User }) {
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ current_password }) => {
    await parley.rest.deleteAccount({ body: { current_password } });
    await parley.auth.logout();
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <h3>{t.deleteAccount}</h3>
      <p class="muted">{t.deleteAccountText}</p>
      {user.has_password && <CurrentPassword errors={errors} />}
      <Problem text={problem} />
      <button class="danger" disabled={isBusy}>
        {t.deleteAccountButton}
      </button>
    </form>
  );
}

async function download(): Promise<void> {
  const data = await parley.rest.exportAccount();
  downloadText(JSON.stringify(data, null, 2), 'parley-export.json', 'application/json');
}
