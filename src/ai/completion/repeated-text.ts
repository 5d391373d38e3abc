import type { ProviderDelta } from '../provider/provider.chunk.js';

/** Length of the prefix compared. UTF-16 code units. */
const HEAD_LENGTH = 64;

/** Removes text that was streamed before from a final `message`. Messages that come in pieces repeat nothing. */
export class RepeatedText {
  private readonly content = new SeenText();
  private readonly reasoning = new SeenText();

  remove(delta: ProviderDelta): ProviderDelta {
    if (delta.isMessage) {
      const content = this.content.remainder(delta.content);
      return { ...delta, content, reasoning: this.reasoning.remainder(delta.reasoning) };
    }
    if (delta.content) this.content.add(delta.content);
    if (delta.reasoning) this.reasoning.add(delta.reasoning);
    return delta;
  }
}

/** Keeps the length and a prefix of a text instead of the whole. */
class SeenText {
  private head = '';
  private length = 0;
  private hasDeltas = false;

  add(delta: string): void {
    this.hasDeltas = true;
    this.append(delta);
  }

  remainder(message: string): string {
    const isRepeat = (this.hasDeltas || this.length >= HEAD_LENGTH) && message.startsWith(this.head);
    if (this.hasDeltas && !isRepeat) return '';
    const rest = isRepeat ? message.slice(this.length) : message;
    this.append(rest);
    return rest;
  }

  private append(delta: string): void {
    if (this.length < HEAD_LENGTH) this.head = (this.head + delta).slice(0, HEAD_LENGTH);
    this.length += delta.length;
  }
}
