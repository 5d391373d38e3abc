const DAY_MS = 24 * 60 * 60_000;

/** The day in UTC, as `YYYY-MM-DD`. */
export function dateOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** @param date `YYYY-MM-DD` */
export function addDays(date: string, days: number): string {
  return dateOf(new Date(Date.parse(date) + days * DAY_MS));
}

/** Whether the text is a day of the years 1900 to 2999, as `YYYY-MM-DD`. */
export function isDate(text: unknown): boolean {
  if (typeof text !== 'string' || !/^(19|2\d)\d\d-\d\d-\d\d$/.test(text)) return false;
  const time = Date.parse(text);
  return !Number.isNaN(time) && dateOf(new Date(time)) === text;
}

/** The number of days from one to the other, both included. */
export function countDates(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
}

/** All days from one to the other, both included. */
export function datesBetween(from: string, to: string): string[] {
  return Array.from({ length: countDates(from, to) }, (_, n) => addDays(from, n));
}

/** The next midnight in UTC. */
export function midnightAfter(time: Date): Date {
  return new Date(Date.parse(addDays(dateOf(time), 1)));
}
