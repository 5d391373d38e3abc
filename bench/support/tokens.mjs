/**
 * The provider's tokens: eight characters, two for a sequence number and six for the time of sending. The client detects
 * lost, duplicated and reordered tokens, and measures their delay.
 */
const TOKEN_LENGTH = 8;
const COUNTS = 36 ** 2;
/** In units of 10 µs; wraps around after six hours. */
const TIMES = 36 ** 6;

const base36 = (number, digits) => number.toString(36).padStart(digits, '0');

/** The monotonic clock, shared by all processes of a machine. */
const now = () => Number((process.hrtime.bigint() / 10_000n) % BigInt(TIMES));

export const countOf = (index) => base36(index % COUNTS, 2);
export const sendTime = () => base36(now(), 6);
export const COUNT_CYCLE = COUNTS;

/** Milliseconds since a token was sent. */
export function ageMs(time) {
  return ((now() - Number.parseInt(time, 36) + TIMES) % TIMES) / 100;
}

/** Verifies a reply's text chunk by chunk; throws at the first unexpected token. */
export class TokenChecker {
  tokens = 0;
  #rest = '';

  /** @param {(time: string) => void} [onToken] */
  take(text, onToken) {
    const all = this.#rest + text;
    let at = 0;
    for (; at + TOKEN_LENGTH <= all.length; at += TOKEN_LENGTH) {
      const count = all.slice(at, at + 2);
      if (count !== countOf(this.tokens)) throw new Error(`token ${this.tokens} is ${count}`);
      this.tokens++;
      onToken?.(all.slice(at + 2, at + TOKEN_LENGTH));
    }
    this.#rest = all.slice(at);
  }

  end() {
    if (this.#rest !== '') throw new Error('the text ends within a token');
  }
}
