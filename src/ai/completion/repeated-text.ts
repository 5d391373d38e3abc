import type { ProviderDelta } from '../provider/provider.chunk.js';

/** Enough of a text to tell whether another begins with it. UTF-16 code units. */
const HEAD_LENGTH = 64;

/** Tells the part of a stream's `message` that has not been said, which is all of it where messages come in pieces. */
export class RepeatedText {
  private readonly content = new SeenText();
  private readonly reasoning = new SeenText();

  remove(said: ProviderDelta): ProviderDelta {
    if (said.isMessage) {
      const content = this.content.remainder(said.content);
      return { ...said, content, reasoning: this.reasoning.remainder(said.reasoning) };
    }
    if (said.content) this.content.add(said.content);
    if (said.reasoning) this.reasoning.add(said.reasoning);
    return said;
  }
}

/** The length of a text and its beginning: the whole would be kept twice. */
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
