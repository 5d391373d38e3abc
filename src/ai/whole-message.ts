import type { ProviderDelta } from './provider.chunk.js';

/** Enough of a text to tell whether another begins with it. UTF-16 code units. */
const HEAD_LENGTH = 64;

/** Tells the part of a stream's final `message` that its deltas have not said. */
export class WholeMessage {
  private readonly content = new HeardText();
  private readonly reasoning = new HeardText();

  unheard(said: ProviderDelta): ProviderDelta {
    if (said.isMessage) {
      const content = this.content.rest(said.content);
      return { ...said, content, reasoning: this.reasoning.rest(said.reasoning) };
    }
    this.content.note(said.content);
    this.reasoning.note(said.reasoning);
    return said;
  }
}

/** The length of a text and its beginning: the whole would be kept twice. */
class HeardText {
  private head = '';
  private length = 0;

  note(delta: string): void {
    if (this.length < HEAD_LENGTH) this.head = (this.head + delta).slice(0, HEAD_LENGTH);
    this.length += delta.length;
  }

  rest(whole: string): string {
    if (this.length === 0) return whole;
    return whole.startsWith(this.head) ? whole.slice(this.length) : '';
  }
}
