import { EventLog } from '../clients/event-log.js';

export interface LogLine {
  [field: string]: unknown;
  type?: undefined;
}

/** A destination for the log, which keeps its lines, parsed. */
export class LogLines {
  private readonly log = new EventLog<LogLine>('The log');

  write(text: string): void {
    for (const line of text.split('\n')) if (line) this.log.push(JSON.parse(line));
  }

  /** All lines so far, as they were written. */
  get text(): string {
    return this.log.events.map((line) => JSON.stringify(line)).join('\n');
  }

  /** The line of the request with this id; a line is written when its answer has left, which may be a little later. */
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
