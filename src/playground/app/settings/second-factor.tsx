import type { TotpSetup, User } from '@parley/client';
import { useState } from 'preact/hooks';
import { notice, report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { t } from '../i18n/i18n.js';
import { copyText } from '../ui/clipboard.js';
import { CodeField } from '../ui/code-field.js';
import { downloadText } from '../ui/download.js';
import { CurrentPassword, Problem, useForm } from '../ui/form.js';
import { QrCode } from '../ui/qr-code.js';

/** Turns the second factor on and off. */
export function SecondFactor({ user }: { user: User }) {
  const [setup, setSetup] = useState<TotpSetup | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const step = () => {
    if (codes) return <RecoveryCodes codes={codes} onDone={() => setCodes(null)} />;
    if (user.second_factor) return <Remove user={user} />;
    if (setup) return <Confirm setup={setup} onCodes={setCodes} />;
    return <Start user={user} onSetup={setSetup} />;
  };
  return (
    <section>
      <h3>{t.secondFactor}</h3>
      {step()}
    </section>
  );
}

function Start({ user, onSetup }: { user: User; onSetup: (setup: TotpSetup) => void }) {
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ current_password }) =>
    onSetup(await parley.rest.startTotp({ body: { current_password } })),
  );
  return (
    <form onSubmit={onSubmit} noValidate>
      <p class="muted">{t.secondFactorText}</p>
      {user.has_password && <CurrentPassword errors={errors} />}
      <Problem text={problem} />
      <button disabled={isBusy}>{t.setUpSecondFactor}</button>
    </form>
  );
}

function Confirm({ setup, onCodes }: { setup: TotpSetup; onCodes: (codes: string[]) => void }) {
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ code = '' }) => {
    const { recovery_codes } = await parley.rest.confirmTotp({ body: { code } });
    onCodes(recovery_codes);
    await parley.auth.reload();
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <p>{t.scanCode}</p>
      <QrCode text={setup.otpauth_url} label={t.qrCode} />
      <p class="secret">
        <code>{setup.secret}</code> <Copy text={setup.secret} label={t.copySecret} />
      </p>
      <CodeField errors={errors} isFocused />
      <Problem text={problem} />
      <button class="primary" disabled={isBusy}>
        {t.turnOn}
      </button>
    </form>
  );
}

function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  const text = codes.join('\n');
  return (
    <div role="status">
      <p>{t.recoveryCodesText}</p>
      <ul class="recovery-codes" aria-label={t.recoveryCodes}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div class="choices">
        <Copy text={text} label={t.copy} />
        <button type="button" onClick={() => downloadText(`${text}\n`, 'parley-recovery-codes.txt')}>
          {t.download}
        </button>
        <button type="button" class="primary" onClick={onDone}>
          {t.codesKept}
        </button>
      </div>
    </div>
  );
}

function Remove({ user }: { user: User }) {
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ current_password, code = '' }) => {
    await parley.rest.removeTotp({ body: { current_password, code } });
    notice.set(t.secondFactorOff);
    await parley.auth.reload();
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <p class="muted">{t.secondFactorIsOn}</p>
      {user.has_password && <CurrentPassword errors={errors} />}
      <CodeField errors={errors} hint={t.orRecoveryCode} />
      <Problem text={problem} />
      <button class="danger" disabled={isBusy}>
        {t.turnOff}
      </button>
    </form>
  );
}

function Copy({ text, label }: { text: string; label: string }) {
  const copy = async () => {
    await copyText(text);
    notice.set(t.copied);
  };
  return (
    <button type="button" onClick={() => void report(copy())}>
      {label}
    </button>
  );
}
