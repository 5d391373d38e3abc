import { en, type Messages } from './en.js';
import { zh } from './zh.js';

const language = navigator.languages
  .map((tag) => tag.slice(0, 2))
  .find((tag) => tag === 'zh' || tag === 'en');

/** The texts of the page in the browser's language. */
export const t: Messages = language === 'zh' ? zh : en;

document.documentElement.lang = t.language;

const dateTime = new Intl.DateTimeFormat(t.language, { dateStyle: 'medium', timeStyle: 'short' });
const number = new Intl.NumberFormat(t.language);

export const formatTime = (iso: string): string => dateTime.format(new Date(iso));
export const formatNumber = (value: number): string => number.format(value);
