import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';
import type { Request } from 'express';
import { DemoModel } from './demo-model.js';

/** Allows requests of this process only, which alone has the key. */
@Injectable()
export class DemoKeyGuard implements CanActivate {
  constructor(private readonly demo: DemoModel) {}

  canActivate(context: ExecutionContext): boolean {
    const { authorization = '' } = context.switchToHttp().getRequest<Request>().headers;
    const apiKey = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (!apiKey || !this.demo.accepts(apiKey)) throw new UnauthorizedException('Incorrect API key provided.');
    return true;
  }
}
