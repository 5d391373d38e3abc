/** Sets a new password with the token of the link. */
import { language, startPage } from './mail-page.js';

const TEXTS = {
  en: {
    title: 'Choose a new password',
    password: 'New password',
    hint: 'At least 8 characters. All sessions of the account will be ended.',
    submit: 'Set password',
    done: 'The password was changed. You can sign in with it now.',
    problems: { password: 'This password is easy to guess. Choose another.' },
  },
  zh: {
    title: '设置新密码',
    password: '新密码',
    hint: '至少 8 个字符。该账号的所有会话都会结束。',
    submit: '设置密码',
    done: '密码已更改，现在可以用新密码登录。',
    problems: { password: '此密码容易被猜到，请换一个。' },
  },
};

startPage('auth/password/reset', TEXTS[language]);
