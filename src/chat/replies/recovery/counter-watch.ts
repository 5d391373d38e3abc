interface Observation {
  value: number;
  /** Milliseconds of this process's monotonic clock. */
  since: number;
}

/** Measures for how long counters have not changed, on this process's clock. */
export class CounterWatch<K> {
  private readonly observations = new Map<K, Observation>();

  /** @returns milliseconds since the counter was first observed with this value */
  unchangedMs(key: K, value: number): number {
    const now = performance.now();
    const observation = this.observations.get(key);
    if (observation?.value === value) return now - observation.since;
    this.observations.set(key, { value, since: now });
    return 0;
  }

  /** The last observed value. */
  valueOf(key: K): number | undefined {
    return this.observations.get(key)?.value;
  }

  delete(key: K): void {
    this.observations.delete(key);
  }

  /** Deletes all other counters. */
  retain(keys: Set<K>): void {
    for (const key of this.observations.keys()) if (!keys.has(key)) this.observations.delete(key);
  }

  clear(): void {
    this.observations.clear();
  }
}
