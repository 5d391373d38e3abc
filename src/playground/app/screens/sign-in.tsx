import { ParleyError } from '@parley/client';
import { useState } from 'preact/hooks';
import { parley, storage } from '../client/parley.js';
import { t } from '../i18n/i18n.js';
import { CodeField } from '../ui/code-field.js';
import { Field, Problem, useForm } from '../ui/form.js';
import { Logo } from '../ui/logo.js';

/** Kept after the first sign-in, so that the next one need not register. */
const RETURNING = 'parley.returning';

type Mode = 'signUp' | 'signIn' | 'reset';

const TITLES = { signUp: t.signUpTitle, signIn: t.signInTitle, reset: t.resetTitle };

export function SignIn() {
  const [mode, setMode] = useState<Mode>(storage?.getItem(RETURNING) ? 'signIn' : 'signUp');
  const isNew = mode === 'signUp';
  return (
    <main class="sign-in">
      <div class="card">
        <Logo />
        <h1>{TITLES[mode]}</h1>
        <p class="muted">{t.tagline}</p>
        {mode === 'reset' ? <ResetForm /> : <AccountForm key={mode} isNew={isNew} />}
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

/** @returns false if a code of the second factor is needed */
async function signIn(credentials: { email: string; password: string; code?: string }): Promise<boolean> {
  try {
    await parley.auth.login(credentials);
    return true;
  } catch (error) {
    if (error instanceof ParleyError && error.code === 'second_factor_required') return false;
    throw error;
  }
}

function AccountForm({ isNew }: { isNew: boolean }) {
  const [isCodeNeeded, setCodeNeeded] = useState(false);
  const { errors, problem, isBusy, onSubmit } = useForm(
    async ({ username = '', email = '', password = '', code }) => {
      if (isNew) await parley.auth.register({ username, email, password });
      else if (!(await signIn({ email, password, code }))) return setCodeNeeded(true);
      storage?.setItem(RETURNING, 'true');
    },
  );
  const autocomplete = isNew ? 'new-password' : 'current-password';
  return (
    <form onSubmit={onSubmit} noValidate>
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
      {isCodeNeeded && <CodeField errors={errors} hint={t.orRecoveryCode} isFocused />}
      <Problem text={problem} />
      <button class="primary" disabled={isBusy}>
        {isNew ? t.signUp : t.signIn}
      </button>
    </form>
  );
}
