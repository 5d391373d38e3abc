/** Time sources; an object, so that tests can shift them. */
export const clock = {
  /** Milliseconds since the epoch on the device's clock, which may be wrong. */
  now: (): number => Date.now(),
  /** Milliseconds that never go back, and may stand still while the device sleeps. */
  monotonic: (): number => globalThis.performance?.now() ?? Date.now(),
};

export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
