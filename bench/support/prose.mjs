/**
 * Text with the word frequencies of a natural language. Deterministic.
 */
const WORDS = 50_000;
const WORDS_A_MESSAGE = 45;
/** Intervals of messages in Chinese and of messages with a unique word. */
const CHINESE_EVERY = 20;
const MARKED_EVERY = 100_000;
const SYLLABLES =
  'ba ce di fo gu han jel kim lor mun pas rek sin tov wul yar zem stra cho ple nge tion'.split(' ');
const FIRST_HAN = 0x4e00;
const HANS = 3000;

/** In descending frequency. */
export function word(rank) {
  let text = '';
  // The digits of the rank, in a number system with a digit for each syllable.
  do {
    text += SYLLABLES[rank % SYLLABLES.length];
    rank = Math.floor(rank / SYLLABLES.length);
  } while (rank > 0);
  return text;
}
const VOCABULARY = Array.from({ length: WORDS }, (_, rank) => word(rank));

/** The word of every MARKED_EVERY-th message. */
export const MARK = 'quixotically';
/** Occurs in no message. */
export const ABSENT = 'borzwyque';

export const han = (rank) => String.fromCharCode(FIRST_HAN + rank);

/** Needs no escaping in SQL. */
export function someText(index) {
  const random = randomFrom(index + 1);
  if (index % CHINESE_EVERY === 7) return chinese(random);
  const length = 10 + Math.floor(random() * 2 * (WORDS_A_MESSAGE - 10));
  const words = Array.from({ length }, () => VOCABULARY[rankOf(random(), WORDS)]);
  if (index % MARKED_EVERY === 13) words.push(MARK);
  words[0] = words[0][0].toUpperCase() + words[0].slice(1);
  return `${words.join(' ')}.`;
}

function chinese(random) {
  return Array.from({ length: 20 + Math.floor(random() * 100) }, () => han(rankOf(random(), HANS))).join('');
}

/** Zipf's law: a word's frequency is inverse to its rank. */
function rankOf(random, count) {
  return Math.floor(count ** random) - 1;
}

/** Mulberry32. */
function randomFrom(seed) {
  let state = seed * 0x9e3779b1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
