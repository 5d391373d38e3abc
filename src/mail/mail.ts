/** A mail to one person. */
export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
  /** The link in the text, for the log of a server without SMTP. */
  link?: string;
}

export type MailLanguage = 'en' | 'zh';
