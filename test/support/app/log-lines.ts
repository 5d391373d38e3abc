import { EventLog } from '../clients/event-log.js';

export interface LogLine {
  [field: string]: unknown;
  type?: undefined;
}

/** Log destination that keeps the parsed lines. */
export class LogLines {
  private readonly log = new EventLog<LogLine>('The log');

  write(text: string): void {
    for (const line of text.split('\n')) if (line) this.log.push(JSON.parse(line));
  }

  /** All lines so far as text. */
  get text(): string {
    return this.log.events.map((line) => JSON.stringify(line)).join('\n');
  }

  /** Resolves with the log line of a request, which is written after its response. */
  ofRequest(id: string | null): Promise<LogLine> {
    return this.log.until((line) => line.msg === 'request' && line.request_id === id);
  }

  until(predicate: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine> {
    return this.log.until(predicate, timeoutMs);
  }

  filter(predicate: (line: LogLine) => boolean): LogLine[] {
    return this.log.events.filter(predicate);
  }
}
