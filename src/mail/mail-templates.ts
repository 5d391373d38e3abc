import type { Mail, MailLanguage } from './mail.js';
import * as texts from './mail-texts.js';

export function secondFactorMail(to: string, state: 'on' | 'off', language: MailLanguage): Mail {
  return compose(to, texts.SECOND_FACTOR[state][language], language);
}

export function passwordResetMail(to: string, link: string, language: MailLanguage): Mail {
  return compose(to, texts.PASSWORD_RESET[language], language, link);
}

export function emailVerificationMail(to: string, link: string, language: MailLanguage): Mail {
  return compose(to, texts.EMAIL_VERIFICATION[language], language, link);
}

export function passwordWasResetMail(to: string, language: MailLanguage): Mail {
  return compose(to, texts.PASSWORD_WAS_RESET[language], language);
}

export function invitationMail(to: string, link: string, language: MailLanguage): Mail {
  return compose(to, texts.INVITATION[language], language, link);
}

export function passwordChangedMail(to: string, language: MailLanguage): Mail {
  return compose(to, texts.PASSWORD_CHANGED[language], language);
}

/** @param to the old address */
export function emailChangedMail(to: string, language: MailLanguage): Mail {
  return compose(to, texts.EMAIL_CHANGED[language], language);
}

function compose(to: string, text: texts.MailText, language: MailLanguage, link?: string): Mail {
  const { subject, paragraphs, footer = [] } = text;
  const plain = [...paragraphs, ...(link ? [link] : []), ...footer].join('\n\n') + '\n';
  return { to, subject, text: plain, html: toHtml(text, language, link), link };
}

function toHtml(
  { subject, paragraphs, action, footer = [] }: texts.MailText,
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
