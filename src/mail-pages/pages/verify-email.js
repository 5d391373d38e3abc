/** Verifies an email address with the token of the link, after a click, because mail scanners open links. */
import { language, startPage } from './mail-page.js';

const TEXTS = {
  en: {
    title: 'Confirm your email address',
    submit: 'Confirm the address',
    done: 'The address is confirmed. You can close this page.',
    problems: { email_taken: 'Another account has this address by now.' },
  },
  zh: {
    title: '确认您的邮箱地址',
    submit: '确认邮箱地址',
    done: '邮箱地址已确认，可以关闭此页面。',
    problems: { email_taken: '此邮箱地址现已被其他账号使用。' },
  },
};

startPage('auth/email/verify', TEXTS[language]);
