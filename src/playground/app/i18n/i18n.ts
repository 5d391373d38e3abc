import { en, type Messages } from './en.js';
import { zh } from './zh.js';

const language = navigator.languages
  .map((tag) => tag.slice(0, 2))
  .find((tag) => tag === 'zh' || tag === 'en');

/** The texts of the page in the browser's language. */
export const t: Messages = language === 'zh' ? zh : en;

document.documentElement.lang = t.language;

const dateTime = new Intl.DateTimeFormat(t.language, { dateStyle: 'medium', timeStyle: 'short' });
const date = new Intl.DateTimeFormat(t.language, { dateStyle: 'medium', timeZone: 'UTC' });
const number = new Intl.NumberFormat(t.language);

export const formatTime = (iso: string): string => dateTime.format(new Date(iso));
/** @param day `YYYY-MM-DD` */
export const formatDate = (day: string): string => date.format(new Date(day));
export const formatNumber = (value: number): string => number.format(value);
