import type { ParleyError } from '@parley/client';
import { messageOf } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';

interface UndeliveredProps {
  /** Why the server refused the message; null while it is to be sent. */
  failure: ParleyError | null;
  onRetry: () => void;
  onRemove: () => void;
}

/** State of a message that the server has not stored. */
export function Undelivered({ failure, onRetry, onRemove }: UndeliveredProps) {
  const isLive = useStore(parley.connection) === 'live';
  if (!failure) return <p class="state">{isLive ? t.sending : t.waiting}</p>;
  return (
    <div class="state error" role="alert">
      {t.rejected}: {messageOf(failure)}{' '}
      <button type="button" class="link" onClick={onRetry}>
        {t.retry}
      </button>{' '}
      <button type="button" class="link" onClick={onRemove}>
        {t.remove}
      </button>
    </div>
  );
}
