import { isHighSurrogate } from '../../common/text/utf16.js';

/** Joins deltas into well-formed text, which every database can store. */
export class Utf16Joiner {
  private text = '';

  add(delta: string): void {
    this.text += delta;
  }

  /** Removes and returns the buffered text unchanged. */
  drain(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  /**
   * Returns the text since the last call. NULs and lone surrogates become U+FFFD; half a surrogate pair is kept for the
   * next call.
   * @param last also takes half a pair
   */
  take(last: boolean): string {
    if (this.text === '') return '';
    const endsInHalf = !last && isHighSurrogate(this.text.charCodeAt(this.text.length - 1));
    const taken = endsInHalf ? this.text.slice(0, -1) : this.text;
    this.text = endsInHalf ? this.text.slice(-1) : '';
    const wellFormed = taken.toWellFormed();
    return wellFormed.includes('\0') ? wellFormed.replaceAll('\0', '\ufffd') : wellFormed;
  }
}
