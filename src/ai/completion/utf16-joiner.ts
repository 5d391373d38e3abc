import { toUSVString } from 'node:util';
import { isHighSurrogate } from '../../common/text/utf16.js';

/** Puts the deltas of one part together, into text that is well-formed and can be stored everywhere. */
export class Utf16Joiner {
  private text = '';

  add(delta: string): void {
    this.text += delta;
  }

  /** Takes out everything that waits, as it came. */
  drain(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  /**
   * What has come since the last time. NULs and lone surrogates become U+FFFD; half a surrogate pair waits for the
   * other half, which may be in the next delta, unless this is the last.
   */
  take(last: boolean): string {
    if (this.text === '') return '';
    const halved = !last && isHighSurrogate(this.text.charCodeAt(this.text.length - 1));
    const taken = halved ? this.text.slice(0, -1) : this.text;
    this.text = halved ? this.text.slice(-1) : '';
    const wellFormed = toUSVString(taken);
    return wellFormed.includes('\0') ? wellFormed.replaceAll('\0', '\ufffd') : wellFormed;
  }
}
