/**
 * The provider's tokens: eight characters, of which two count and six say when it was sent, so that whoever gets them
 * can tell that none is lost, doubled or out of order, and how long they took.
 */
export const TOKEN_LENGTH = 8;
const COUNTS = 36 ** 2;
/** In units of 10 µs: around once in six hours. */
const TIMES = 36 ** 6;

const base36 = (number, digits) => number.toString(36).padStart(digits, '0');

/** The monotonic clock, which all processes of a machine share. */
const now = () => Number((process.hrtime.bigint() / 10_000n) % BigInt(TIMES));

export const countOf = (index) => base36(index % COUNTS, 2);
export const sendTime = () => base36(now(), 6);
export const COUNT_CYCLE = COUNTS;

/** Milliseconds since a token was sent. */
export function ageMs(time) {
  return ((now() - Number.parseInt(time, 36) + TIMES) % TIMES) / 100;
}

/** Takes a reply's text, piece by piece, and complains of the first token that is not the one due. */
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
