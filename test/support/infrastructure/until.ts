import { setTimeout as delay } from 'node:timers/promises';

/** Polls until the condition holds; for what sends no event, such as a row in the database. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  intervalMs = 25,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${timeoutMs} ms passed without ${holds.toString()}`);
    await delay(intervalMs);
  }
}
