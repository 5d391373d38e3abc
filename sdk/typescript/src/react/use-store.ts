'use client';
import { useMemo, useSyncExternalStore } from 'react';
import type { Store } from '../store.js';

/** Renders with the store's initial value on a server and while hydrating. */
export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getInitialSnapshot);
}

/**
 * Renders again when the selected value changes: another object, or an array with other items.
 * @param select a pure function; define it outside of the component to keep the selected object across renders
 */
export function useSelection<T, S>(store: Store<T>, select: (value: T) => S): S {
  const selection = useMemo(() => memoized(select), [store, select]);
  return useSyncExternalStore(
    store.subscribe,
    () => selection(store.getSnapshot()),
    () => selection(store.getInitialSnapshot()),
  );
}

/** Binds methods, so that they can be destructured. */
export function useBound<T extends object, Name extends keyof T>(
  target: T,
  names: readonly Name[],
): Pick<T, Name> {
  return useMemo(() => {
    const bound = names.map((name) => [name, (target[name] as (...args: unknown[]) => unknown).bind(target)]);
    return Object.fromEntries(bound) as Pick<T, Name>;
  }, [target, names]);
}

/** Returns the last result again while the result has not changed. */
function memoized<T, S>(select: (value: T) => S): (value: T) => S {
  let last: { value: T; selected: S } | null = null;
  return (value) => {
    if (!last || last.value !== value) {
      const selected = select(value);
      last = { value, selected: last && isSame(last.selected, selected) ? last.selected : selected };
    }
    return last.selected;
  };
}

function isSame(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b);
  return a.length === b.length && a.every((item, index) => Object.is(item, b[index]));
}
