const WORDS_LENGTH = 60;
const TITLE_LENGTH = 100;

/** The first words of a first message, for as long as no better title is known. 1–60 characters and an ellipsis. */
export function titleFromText(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  if (characters.length <= WORDS_LENGTH) return line;
  const cut = characters.slice(0, WORDS_LENGTH).join('');
  const lastSpace = cut.lastIndexOf(' ');
  return `${lastSpace > WORDS_LENGTH / 2 ? cut.slice(0, lastSpace) : cut}…`;
}

/** A model's answer as a title: one line, without quotes, label or full stop; null where nothing is left. */
export function titleFromModel(answer: string): string | null {
  const line = answer.trim().split('\n', 1)[0]!;
  const bare = line
    .replace(/^(#+|\*+|title\s*[::]|标题\s*[::])\s*/i, '')
    .replace(/^["'“”‘’«»「」『』《》*`]+|["'“”‘’«»「」『』《》*`.。]+$/g, '')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return bare === '' ? null : Array.from(bare).slice(0, TITLE_LENGTH).join('').trim();
}

/** Asks for a title in the conversation's own language. */
export const TITLE_PROMPT =
  'Write a title for the conversation below: at most six words, in the language of the conversation, ' +
  'without quotes or a full stop. Answer with the title alone.';
