/** A value that can be observed, in the form of React's `useSyncExternalStore` and Svelte-like stores. */
export interface Readable<T> {
  /** Calls the listener after each change. Returns what ends the subscription. */
  subscribe(listener: () => void): () => void;
  /** Returns the current value: immutable, and the same object until it changes. */
  getSnapshot(): T;
}

export class Store<T> implements Readable<T> {
  private readonly listeners = new Set<() => void>();
  private value: T;

  constructor(private readonly initial: T) {
    this.value = initial;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // Wrapped, so that one function subscribed twice is called twice and removed once.
    const entry = () => listener();
    this.listeners.add(entry);
    if (this.listeners.size === 1) this.observed();
    return () => {
      if (this.listeners.delete(entry) && this.listeners.size === 0) this.unobserved();
    };
  };

  readonly getSnapshot = (): T => this.value;

  /** Returns the first value, which is the same on a server and in a browser (React's `getServerSnapshot`). */
  readonly getInitialSnapshot = (): T => this.initial;

  get isObserved(): boolean {
    return this.listeners.size > 0;
  }

  /** Changes the value and notifies; the same value changes nothing. */
  protected set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of [...this.listeners]) listener();
  }

  /** Called when the first listener subscribes. */
  protected observed(): void {}

  /** Called when the last listener unsubscribes. */
  protected unobserved(): void {}
}
