import { ParleyError } from '@parley/client';
import { useState } from 'preact/hooks';
import { parley, storage } from '../client/parley.js';
import { route, startNewChat } from '../client/route.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { CodeField } from '../ui/code-field.js';
import { Field, Problem, useForm } from '../ui/form.js';
import { Logo } from '../ui/logo.js';

/** Kept after the first sign-in, so that the next one need not register. */
const RETURNING = 'parley.returning';

type Mode = 'signUp' | 'signIn' | 'reset';

const TITLES = { signUp: t.signUpTitle, signIn: t.signInTitle, reset: t.resetTitle };

export function SignIn() {
  const { invitation } = useStore(route);
  const isReturning = !invitation && storage?.getItem(RETURNING);
  const [mode, setMode] = useState<Mode>(isReturning ? 'signIn' : 'signUp');
  const isNew = mode === 'signUp';
  return (
    <main class="sign-in">
      <div class="card">
        <Logo />
        <h1>{TITLES[mode]}</h1>
        <p class="muted">{t.tagline}</p>
        {mode === 'reset' ? <ResetForm /> : <AccountForm key={mode} isNew={isNew} invitation={invitation} />}
        <p class="muted switch">
          {isNew ? t.haveAccount : t.noAccount} <Switch to={isNew ? 'signIn' : 'signUp'} setMode={setMode} />
        </p>
        {!isNew && (
          <p class="switch">
            <Switch to={mode === 'signIn' ? 'reset' : 'signIn'} setMode={setMode} />
          </p>
        )}
      </div>
    </main>
  );
}

const SWITCHES = { signUp: t.signUp, signIn: t.signIn, reset: t.forgotPassword };

function Switch({ to, setMode }: { to: Mode; setMode: (mode: Mode) => void }) {
  return (
    <button type="button" class="link" onClick={() => setMode(to)}>
      {SWITCHES[to]}
    </button>
  );
}

/** Asks for a mail with a link; the server's own page sets the new password. */
function ResetForm() {
  const [isMailed, setMailed] = useState(false);
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ email = '' }) => {
    await parley.rest.forgotPassword({ body: { email } });
    setMailed(true);
  });
  if (isMailed) return <p role="status">{t.linkMailed}</p>;
  return (
    <form onSubmit={onSubmit} noValidate>
      <Field name="email" type="email" label={t.email} autocomplete="email" errors={errors} autofocus />
      <Problem text={problem} />
      <button class="primary" disabled={isBusy}>
        {t.mailLink}
      </button>
    </form>
  );
}

/** @returns false if refused with this code */
async function succeeds(work: Promise<unknown>, refusal: string): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (hasCode(error, refusal)) return false;
    throw error;
  }
}

type Account = Parameters<typeof parley.auth.register>[0];

/** @returns false if the email address must be verified before signing in */
async function register(account: Account, onInvitationNeeded: () => void): Promise<boolean> {
  try {
    const isSignedIn = await succeeds(parley.auth.register(account), 'email_unverified');
    startNewChat();
    return isSignedIn;
  } catch (error) {
    if (hasCode(error, 'invitation_required')) onInvitationNeeded();
    throw error;
  }
}

const hasCode = (error: unknown, code: string) => error instanceof ParleyError && error.code === code;

interface AccountFormProps {
  isNew: boolean;
  /** Code of the link that was followed. */
  invitation: string | null;
}

function AccountForm({ isNew, invitation }: AccountFormProps) {
  const [isCodeNeeded, setCodeNeeded] = useState(false);
  const [unverified, setUnverified] = useState<string | null>(null);
  const [isInvitationNeeded, setInvitationNeeded] = useState(invitation !== null);
  const { errors, problem, isBusy, onSubmit } = useForm(
    async ({ username = '', email = '', password = '', code, invitation }) => {
      if (isNew) {
        const account = { username, email, password, ...(invitation && { invitation }) };
        if (!(await register(account, () => setInvitationNeeded(true)))) setUnverified(email);
      } else {
        const login = parley.auth.login({ email, password, code });
        if (!(await succeeds(login, 'second_factor_required'))) return setCodeNeeded(true);
      }
      storage?.setItem(RETURNING, 'true');
    },
  );
  if (unverified !== null) return <p role="status">{t.signedUp(unverified)}</p>;
  return (
    <form onSubmit={onSubmit} noValidate>
      <AccountFields isNew={isNew} errors={errors} />
      {isNew && isInvitationNeeded && (
        <Field
          name="invitation"
          label={t.invitationCode}
          defaultValue={invitation ?? ''}
          autocomplete="off"
          spellcheck={false}
          required={false}
          errors={errors}
        />
      )}
      {isCodeNeeded && <CodeField errors={errors} hint={t.orRecoveryCode} isFocused />}
      <Problem text={problem} />
      <button class="primary" disabled={isBusy}>
        {isNew ? t.signUp : t.signIn}
      </button>
    </form>
  );
}

function AccountFields({ isNew, errors }: { isNew: boolean; errors: Record<string, string> }) {
  const autocomplete = isNew ? 'new-password' : 'current-password';
  return (
    <>
      {isNew && (
        <Field name="username" label={t.username} autocomplete="username" errors={errors} autofocus />
      )}
      <Field
        name="email"
        type="email"
        label={t.email}
        autocomplete="email"
        errors={errors}
        autofocus={!isNew}
      />
      <Field
        name="password"
        type="password"
        label={t.password}
        autocomplete={autocomplete}
        hint={isNew ? t.passwordHint : undefined}
        errors={errors}
      />
    </>
  );
}
