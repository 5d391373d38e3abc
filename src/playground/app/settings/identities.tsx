import type { Identity } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { t } from '../i18n/i18n.js';

/** Lists and unlinks accounts at identity providers. Users without any see nothing. */
export function Identities() {
  const [identities, setIdentities] = useState<readonly Identity[]>([]);
  const read = async () => setIdentities((await report(parley.rest.listIdentities()))?.identities ?? []);
  useEffect(() => void read(), []);
  if (identities.length === 0) return null;
  const unlink = (id: number) => void report(parley.rest.unlinkIdentity({ path: { id } })).then(read);
  return (
    <section>
      <h3>{t.identities}</h3>
      <p class="muted">{t.identitiesText}</p>
      <ul class="rows">
        {identities.map(({ id, issuer, subject }) => (
          <li key={id}>
            <div class="about">
              <strong>{hostOf(issuer)}</strong>
              <p class="muted">{subject}</p>
            </div>
            <button
              type="button"
              aria-label={t.unlinkNamed(`${hostOf(issuer)} ${subject}`)}
              onClick={() => unlink(id)}
            >
              {t.unlink}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const hostOf = (issuer: string) => new URL(issuer).host;
