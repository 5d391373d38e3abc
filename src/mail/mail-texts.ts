import type { MailLanguage } from './mail.js';

export interface MailText {
  subject: string;
  paragraphs: string[];
  /** Text of the button; absent in mails without a link. */
  action?: string;
  /** Follows the link. */
  footer?: string[];
}

type Translations = Record<MailLanguage, MailText>;

export const PASSWORD_RESET: Translations = {
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

export const EMAIL_VERIFICATION: Translations = {
  en: {
    subject: 'Confirm your email address',
    paragraphs: ['Somebody entered this email address for an account. Confirm that it is yours.'],
    action: 'Confirm the address',
    footer: [
      'The link works once, for 24 hours.',
      'If it was not you, ignore this mail: the account is somebody else’s, and would have your address.',
    ],
  },
  zh: {
    subject: '确认您的邮箱地址',
    paragraphs: ['有人为一个账号填写了此邮箱地址。请确认此邮箱属于您。'],
    action: '确认邮箱地址',
    footer: [
      '此链接 24 小时内有效，只能使用一次。',
      '如果不是您本人的操作，请忽略此邮件：该账号属于他人，确认后它将使用您的邮箱地址。',
    ],
  },
};

export const PASSWORD_WAS_RESET: Translations = {
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

export const PASSWORD_CHANGED: Translations = {
  en: {
    subject: 'Your password was changed',
    paragraphs: [
      'The password of your account was changed in one of its sessions, and all other sessions were ended.',
      'If it was not you, reset the password: this ends every session.',
    ],
  },
  zh: {
    subject: '您的密码已更改',
    paragraphs: [
      '您的账号密码已在一个已登录的会话中更改，其他会话均已结束。',
      '如果不是您本人的操作，请重置密码，这会结束所有会话。',
    ],
  },
};

export const EMAIL_CHANGED: Translations = {
  en: {
    subject: 'Your email address was changed',
    paragraphs: [
      'Your account has another email address now. This address no longer belongs to it: it can neither log in nor reset the password.',
      'If it was not you, contact the operator of this service at once.',
    ],
  },
  zh: {
    subject: '您的邮箱地址已更改',
    paragraphs: [
      '您的账号已改用其他邮箱地址。此地址不再属于该账号，无法用于登录或重置密码。',
      '如果不是您本人的操作，请立即联系此服务的运营者。',
    ],
  },
};

export const INVITATION: Translations = {
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

export const SECOND_FACTOR: Record<'on' | 'off', Translations> = {
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
