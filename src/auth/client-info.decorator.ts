import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { MailLanguage } from '../mail/mail.js';

const MAIL_LANGUAGES: MailLanguage[] = ['en', 'zh'];

export interface ClientInfo {
  /** Client address according to `TRUST_PROXY`; at most 45 characters. */
  address: string;
  /** `User-Agent` header, cut to 255 characters. */
  userAgent: string;
  /** Language of mails by `Accept-Language`; English by default. */
  language: MailLanguage;
}

export const CurrentClientInfo = createParamDecorator((_: unknown, context: ExecutionContext) =>
  clientInfoOf(context.switchToHttp().getRequest<Request>()),
);

export function clientInfoOf(request: Request): ClientInfo {
  return {
    address: request.ip ?? '',
    userAgent: (request.headers['user-agent'] ?? '').slice(0, 255),
    language: (request.acceptsLanguages(MAIL_LANGUAGES) || 'en') as MailLanguage,
  };
}
