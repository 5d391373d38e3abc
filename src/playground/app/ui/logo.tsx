import { t } from '../i18n/i18n.js';

export function Logo() {
  return (
    <span class="logo">
      <img src="favicon.svg" alt="" width="28" height="28" />
      {t.appName}
    </span>
  );
}
