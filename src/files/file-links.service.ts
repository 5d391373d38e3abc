import { Injectable } from '@nestjs/common';
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { UnauthenticatedError } from '../common/errors/errors.js';
import { Settings } from '../env/settings.js';
import { StoredFileDto } from './file.dto.js';
import type { StoredFile } from './file.entity.js';

const VALID_SECONDS = 60 * 60;
/** Expiries are rounded up, so that a file keeps its link for a while and browsers can cache it. */
const STEP_SECONDS = 5 * 60;
const TOKEN = /^([a-z\d]{1,8})\.([\w-]{43})$/;

/** Signs links to contents for elements without an Authorization header, with keys derived from JWT_SECRETS. */
@Injectable()
export class FileLinks {
  private readonly keys: Buffer[];

  constructor({ jwtSecrets }: Settings) {
    this.keys = jwtSecrets.map((secret) =>
      Buffer.from(hkdfSync('sha256', secret, '', 'parley file links', 32)),
    );
  }

  toDto(file: StoredFile): StoredFileDto {
    return StoredFileDto.from(file, file.deletedAt ? null : this.linkTo(file.id));
  }

  linkTo(id: number, now = Date.now()): string {
    const expiry = Math.ceil((now / 1000 + VALID_SECONDS) / STEP_SECONDS) * STEP_SECONDS;
    const expires = expiry.toString(36);
    return `/files/${id}/content?token=${expires}.${sign(this.keys[0]!, id, expires).toString('base64url')}`;
  }

  /** @throws {UnauthenticatedError} `unauthenticated`, `token_expired` */
  verify(id: number, token: string): void {
    const [, expires = '', digits = ''] = TOKEN.exec(token) ?? [];
    const signature = Buffer.from(digits, 'base64url');
    const isSigned = this.keys.some((key) => isEqual(sign(key, id, expires), signature));
    if (!isSigned || signature.toString('base64url') !== digits)
      throw new UnauthenticatedError('unauthenticated', 'The link is not valid.');
    if (parseInt(expires, 36) * 1000 <= Date.now())
      throw new UnauthenticatedError('token_expired', 'The link has expired.');
  }
}

const sign = (key: Buffer, id: number, expires: string) =>
  createHmac('sha256', key).update(`${id}.${expires}`).digest();

const isEqual = (a: Buffer, b: Buffer) => a.length === b.length && timingSafeEqual(a, b);
