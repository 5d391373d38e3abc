import type { Readable } from '@parley/client';
import { useSyncExternalStore } from 'preact/compat';
import { useCallback } from 'preact/hooks';

/** Renders again after each change of the store. */
export const useStore = <T>(store: Readable<T>): T =>
  useSyncExternalStore(store.subscribe, store.getSnapshot);

/** As `useStore`, at most once a frame, however fast the store changes. */
export function useStoreByFrame<T>(store: Readable<T>): T {
  const subscribe = useCallback((listener: () => void) => store.subscribe(oncePerFrame(listener)), [store]);
  return useSyncExternalStore(subscribe, store.getSnapshot);
}

/** Frames of hidden pages wait until they are shown. */
function oncePerFrame(listener: () => void): () => void {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      listener();
    });
  };
}

/** A store of one value. */
export class Value<T> implements Readable<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private value: T) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  readonly getSnapshot = (): T => this.value;

  set(value: T): void {
    this.value = value;
    for (const listener of [...this.listeners]) listener();
  }
}
