type Listener = (event: { key?: string | null }) => void;

interface EventSourceLike {
  addEventListener?(type: string, listener: Listener): void;
  removeEventListener?(type: string, listener: Listener): void;
}

/** Listens to an event of the page, such as `online` or `storage`; does nothing outside browsers. */
export function onPageEvent(type: string, listener: Listener): () => void {
  const page = globalThis as EventSourceLike;
  page.addEventListener?.(type, listener);
  return () => page.removeEventListener?.(type, listener);
}
