import { useEffect } from 'preact/hooks';
import { notice } from '../client/notices.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from './buttons.js';

const SHOWN_MS = 8_000;

/** The latest notice, until it is dismissed or has been read. */
export function NoticeBar() {
  const text = useStore(notice);
  useEffect(() => {
    if (!text) return;
    const timer = setTimeout(() => notice.set(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div role="status" class="notice-bar">
      {text && (
        <p>
          {text}
          <IconButton icon="close" label={t.dismiss} onClick={() => notice.set(null)} />
        </p>
      )}
    </div>
  );
}
