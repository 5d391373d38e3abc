import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { MailLanguage } from '../../mail/mail.js';

const LANGUAGES: MailLanguage[] = ['en', 'zh'];

/** Injects the language of mails by `Accept-Language`; English by default. */
export const CurrentMailLanguage = createParamDecorator(
  (_: unknown, context: ExecutionContext): MailLanguage => {
    const request = context.switchToHttp().getRequest<Request>();
    return (request.acceptsLanguages(LANGUAGES) || 'en') as MailLanguage;
  },
);
