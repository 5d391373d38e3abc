import { useEffect } from 'preact/hooks';

/** What Escape closes by itself, or what handles the key. */
const OPEN = 'dialog[open], [popover]:popover-open, .editor, input[type="search"]:focus';

/** Calls the handler, if there is one, when Escape is pressed and nothing else reacts to it. */
export function useEscape(handler: (() => unknown) | undefined): void {
  useEffect(() => {
    if (!handler) return;
    const handle = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.isComposing && !document.querySelector(OPEN)) handler();
    };
    addEventListener('keydown', handle);
    return () => removeEventListener('keydown', handle);
  }, [handler]);
}
