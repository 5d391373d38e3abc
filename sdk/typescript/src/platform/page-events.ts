type Listener = (event: { key?: string | null }) => void;

interface EventSourceLike {
  addEventListener?(type: string, listener: Listener): void;
  removeEventListener?(type: string, listener: Listener): void;
}

/** Events that do not reach the window from there. */
const OF_DOCUMENT = new Set(['resume', 'visibilitychange']);

/** Listens to an event of the page, such as `online` or `storage`; does nothing outside browsers. */
export function onPageEvent(type: string, listener: Listener): () => void {
  const page = globalThis as EventSourceLike & { document?: EventSourceLike };
  const target = OF_DOCUMENT.has(type) ? page.document : page;
  target?.addEventListener?.(type, listener);
  return () => target?.removeEventListener?.(type, listener);
}
