import type { Mail, MailLanguage } from './mail.js';

interface Words {
  subject: string;
  paragraphs: string[];
  /** Text of the button; absent in mails without a link. */
  action?: string;
  /** Follows the link. */
  footer?: string[];
}

const PASSWORD_RESET: Record<MailLanguage, Words> = {
  en: {
    subject: 'Choose a new password',
    paragraphs: ['Somebody asked to reset the password of the account with this email address.'],
    action: 'Choose a new password',
    footer: [
      'The link works once, for 30 minutes.',
      'If it was not you, ignore this mail: the password stays as it is.',
    ],
  },
  zh: {
    subject: '设置新密码',
    paragraphs: ['有人请求重置使用此邮箱地址的账号的密码。'],
    action: '设置新密码',
    footer: ['此链接 30 分钟内有效，只能使用一次。', '如果不是您本人的操作，请忽略此邮件，密码不会改变。'],
  },
};

const PASSWORD_WAS_RESET: Record<MailLanguage, Words> = {
  en: {
    subject: 'Your password was changed',
    paragraphs: [
      'The password of your account was changed with a link that was mailed to this address, and all sessions were ended.',
      'If it was not you, reset the password and secure your mailbox.',
    ],
  },
  zh: {
    subject: '您的密码已更改',
    paragraphs: [
      '您的账号密码已通过发送到此邮箱的链接更改，所有会话均已结束。',
      '如果不是您本人的操作，请重置密码并检查您邮箱的安全。',
    ],
  },
};

const INVITATION: Record<MailLanguage, Words> = {
  en: {
    subject: 'You are invited to create an account',
    paragraphs: ['Somebody invited you to create an account.'],
    action: 'Create an account',
    footer: ['The link works once.', 'If you do not want an account, ignore this mail.'],
  },
  zh: {
    subject: '邀请您注册账号',
    paragraphs: ['有人邀请您注册账号。'],
    action: '注册账号',
    footer: ['此链接只能使用一次。', '如果您不想注册，请忽略此邮件。'],
  },
};

const SECOND_FACTOR: Record<'on' | 'off', Record<MailLanguage, Words>> = {
  on: {
    en: {
      subject: 'Two-factor authentication is on',
      paragraphs: [
        'Signing in to your account now takes a code of an authenticator app, and all other sessions were ended.',
        'If it was not you, reset the password and contact the operator of the service.',
      ],
    },
    zh: {
      subject: '两步验证已开启',
      paragraphs: [
        '现在登录您的账号需要身份验证器应用中的验证码，其他所有会话均已结束。',
        '如果不是您本人的操作，请重置密码并联系服务的运营方。',
      ],
    },
  },
  off: {
    en: {
      subject: 'Two-factor authentication is off',
      paragraphs: [
        'Signing in to your account no longer takes a code of an authenticator app: the password suffices.',
        'If it was not you, reset the password and turn it on again.',
      ],
    },
    zh: {
      subject: '两步验证已关闭',
      paragraphs: [
        '现在登录您的账号不再需要身份验证器应用中的验证码，只需密码。',
        '如果不是您本人的操作，请重置密码并重新开启两步验证。',
      ],
    },
  },
};

export function secondFactorMail(to: string, state: 'on' | 'off', language: MailLanguage): Mail {
  return compose(to, SECOND_FACTOR[state][language], language);
}

export function passwordResetMail(to: string, link: string, language: MailLanguage): Mail {
  return compose(to, PASSWORD_RESET[language], language, link);
}

export function passwordWasResetMail(to: string, language: MailLanguage): Mail {
  return compose(to, PASSWORD_WAS_RESET[language], language);
}

export function invitationMail(to: string, link: string, language: MailLanguage): Mail {
  return compose(to, INVITATION[language], language, link);
}

function compose(to: string, words: Words, language: MailLanguage, link?: string): Mail {
  const { subject, paragraphs, footer = [] } = words;
  const text = [...paragraphs, ...(link ? [link] : []), ...footer].join('\n\n') + '\n';
  return { to, subject, text, html: toHtml(words, language, link), link };
}

function toHtml(
  { subject, paragraphs, action, footer = [] }: Words,
  language: MailLanguage,
  link?: string,
): string {
  const paragraph = (content: string) => `<p style="margin:0 0 16px">${content}</p>`;
  const button = link && `<a href="${escapeHtml(link)}" style="${BUTTON}">${escapeHtml(action ?? link)}</a>`;
  const url = link && `<a href="${escapeHtml(link)}" style="word-break:break-all">${escapeHtml(link)}</a>`;
  const contents = [
    ...paragraphs.map(escapeHtml),
    ...(button && url ? [button, url] : []),
    ...footer.map(escapeHtml),
  ];
  return (
    `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>` +
    `<body style="${BODY}">${contents.map(paragraph).join('')}</body></html>`
  );
}

const BODY = 'margin:0 auto;max-width:32em;padding:24px;font:16px/1.5 system-ui,sans-serif;color:#1c1e21';
const BUTTON =
  'display:inline-block;padding:10px 18px;border-radius:8px;background:#1a5fb4;color:#fff;text-decoration:none';

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
