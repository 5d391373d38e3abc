import { BodyReader } from './body-reader.js';
import { OutboundResponse } from './outbound-fetch.js';
import { ProviderFaults } from './provider-faults.js';
import { ReplyBatch } from './provider.js';
import { ReplyReader } from './reply-reader.js';
import { Watchdog } from './watchdog.js';

/** How long a reply that has given its finish reason is waited on for its usage and its `[DONE]`. */
const TAIL_SECONDS = 2;
/** How long a connection may take to come free for the next request, after `[DONE]`. */
const SETTLE_SECONDS = 1;

/** One answer of a provider, read batch by batch. */
export class Reply {
  private readonly reader: ReplyReader;
  private readonly body: BodyReader;
  private started = false;
  private over = false;

  constructor(
    response: OutboundResponse,
    private readonly watchdog: Watchdog,
    private readonly idleSeconds: number,
    private readonly faults: ProviderFaults,
  ) {
    this.reader = new ReplyReader(faults);
    this.body = new BodyReader(response.body);
  }

  /** The next batch, or undefined once the reply is whole. Throws a ProviderError when it never will be. */
  async next(): Promise<ReplyBatch | undefined> {
    for (;;) {
      if (this.reader.fault) throw this.reader.fault;
      if (this.reader.done || this.over) return undefined;
      const batch = await this.read();
      if (batch) return batch;
    }
  }

  /** Closes the connection, unless the reply is whole and leaves it fit for the next request. */
  close(): void {
    if (this.over) this.watchdog.stop();
    else if (this.reader.done && !this.watchdog.abandoned) void this.settle();
    else this.watchdog.close();
  }

  private async read(): Promise<ReplyBatch | undefined> {
    try {
      const bytes = await this.watchdog.wait(this.body.read());
      if (this.watchdog.abandoned) throw this.watchdog.signal.reason;
      if (bytes) return this.receive(bytes);
      this.over = true;
      return this.reader.end();
    } catch (error) {
      if (this.watchdog.abandoned) throw error;
      this.over = true;
      const { aborted, reason } = this.watchdog.signal;
      return this.reader.cut(aborted ? reason : this.faults.ofBreak(error));
    }
  }

  private receive(bytes: Uint8Array): ReplyBatch | undefined {
    const wasComplete = this.reader.complete;
    const batch = this.reader.push(bytes);
    if (!wasComplete && this.reader.complete)
      this.watchdog.allow(TAIL_SECONDS, 'The provider did not hang up.');
    else if (!this.started) {
      this.watchdog.allow(this.idleSeconds, `The provider sent nothing for ${this.idleSeconds} seconds.`);
    }
    this.started = true;
    return batch;
  }

  private async settle(): Promise<void> {
    this.watchdog.allow(SETTLE_SECONDS, '');
    try {
      const more = await this.watchdog.wait(this.body.read());
      if (more) this.watchdog.close();
      else this.watchdog.stop();
    } catch {
      this.watchdog.close(); // the reply is whole: what becomes of its connection is nobody's concern
    }
  }
}
