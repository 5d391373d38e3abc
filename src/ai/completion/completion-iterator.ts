import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { CompletionBatch } from '../provider/provider.js';
import { END, type NextBatch, CompletionStream } from './completion-stream.js';
import { Watchdog } from './watchdog.js';

/**
 * A reply from before it is asked for to its end. It is an iterator by hand, as a generator takes several turns of the
 * microtask queue for each batch, and its return() would wait for the read under way, which may take for ever.
 */
export class CompletionIterator implements AsyncIterator<CompletionBatch, undefined> {
  private reply?: CompletionStream;

  constructor(
    private readonly watchdog: Watchdog,
    private readonly errors: ProviderErrorFactory,
    private readonly open: () => Promise<{ reply: CompletionStream; first: NextBatch }>,
  ) {}

  next(): Promise<NextBatch> {
    return this.reply ? this.reply.next() : this.begin();
  }

  return(): Promise<NextBatch> {
    this.watchdog.closeByReader();
    return Promise.resolve(END);
  }

  private async begin(): Promise<NextBatch> {
    const { watchdog } = this;
    try {
      watchdog.start();
      const { reply, first } = await this.open();
      this.reply = reply;
      return first;
    } catch (error) {
      const reason = watchdog.signal.aborted ? watchdog.signal.reason : this.errors.from(error);
      watchdog.close();
      if (watchdog.closedByReader) return END;
      throw reason;
    }
  }
}
