import { useEffect, useState } from 'preact/hooks';
import { parley } from '../client/parley.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';

/** Shorter breaks are not worth a word. */
const PATIENCE_MS = 1_000;

export function ConnectionBanner() {
  const state = useStore(parley.connection);
  const isLive = state === 'live';
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (isLive) return;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [isLive]);
  return (
    <div role="status" class="banner">
      {isLate && !isLive && <p>{state === 'offline' ? t.offline : t.reconnecting}</p>}
    </div>
  );
}
