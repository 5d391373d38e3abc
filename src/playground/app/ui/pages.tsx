import { t } from '../i18n/i18n.js';

export const PAGE_SIZE = 20;

interface PagesProps {
  total: number;
  offset: number;
  onOffset: (offset: number) => void;
}

/** Buttons to the previous and the next page of a list. */
export function Pages({ total, offset, onOffset }: PagesProps) {
  if (total <= PAGE_SIZE) return null;
  return (
    <footer>
      <button type="button" disabled={offset === 0} onClick={() => onOffset(offset - PAGE_SIZE)}>
        {t.previousPage}
      </button>
      <button
        type="button"
        disabled={offset + PAGE_SIZE >= total}
        onClick={() => onOffset(offset + PAGE_SIZE)}
      >
        {t.nextPage}
      </button>
    </footer>
  );
}
