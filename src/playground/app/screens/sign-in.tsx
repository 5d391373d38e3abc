import { useState } from 'preact/hooks';
import { parley, storage } from '../client/parley.js';
import { t } from '../i18n/i18n.js';
import { Field, Problem, useForm } from '../ui/form.js';
import { Logo } from '../ui/logo.js';

/** Kept after the first sign-in, so that the next one need not register. */
const RETURNING = 'parley.returning';

export function SignIn() {
  const [isNew, setNew] = useState(!storage?.getItem(RETURNING));
  return (
    <main class="sign-in">
      <div class="card">
        <Logo />
        <h1>{isNew ? t.signUpTitle : t.signInTitle}</h1>
        <p class="muted">{t.tagline}</p>
        <AccountForm key={isNew} isNew={isNew} />
        <p class="muted switch">
          {isNew ? t.haveAccount : t.noAccount}{' '}
          <button type="button" class="link" onClick={() => setNew(!isNew)}>
            {isNew ? t.signIn : t.signUp}
          </button>
        </p>
      </div>
    </main>
  );
}

function AccountForm({ isNew }: { isNew: boolean }) {
  const { errors, problem, isBusy, onSubmit } = useForm(
    async ({ username = '', email = '', password = '' }) => {
      if (isNew) await parley.auth.register({ username, email, password });
      else await parley.auth.login({ email, password });
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
      <Problem text={problem} />
      <button class="primary" disabled={isBusy}>
        {isNew ? t.signUp : t.signIn}
      </button>
    </form>
  );
}
