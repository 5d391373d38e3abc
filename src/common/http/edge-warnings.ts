import { Global, Injectable, Logger, Module } from '@nestjs/common';
import type { Request } from 'express';

/** Limits memory: clients choose origins and addresses. */
const MAX_REMEMBERED = 100;
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[\w.~:[\]-]{1,200}$/i;
const FORWARDED = ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host'];

/** The part of a request that is read here. */
export type SeenRequest = Pick<Request, 'app' | 'headers' | 'host' | 'protocol' | 'socket'>;

/** Logs, once per case, which setting to change when requests are refused or `X-Forwarded-*` is ignored. */
@Injectable()
export class EdgeWarnings {
  private readonly logger = new Logger('Edge');
  private readonly remembered = new Map<string, Set<string>>();

  originRefused(origin: string, { protocol, host }: SeenRequest): void {
    const own = shown(`${protocol}://${host}`);
    this.warn('origin', shown(origin), { origin: shown(origin), own }, [
      'A request from another origin was refused.',
      'Add the origin to CORS_ORIGINS if it is an app of yours; if this server is reached there, set PUBLIC_URL.',
    ]);
  }

  plainHttpRefused({ socket }: SeenRequest): void {
    const peer = String(socket.remoteAddress);
    this.warn('http', peer, { peer }, [
      'Plain HTTP was refused (https_required).',
      'A proxy that terminates TLS must send X-Forwarded-Proto and be named in TRUST_PROXY.',
    ]);
  }

  /** Warns about `X-Forwarded-*` from an untrusted peer. */
  check({ app, headers, socket }: SeenRequest): void {
    const ignored = FORWARDED.filter((name) => headers[name.toLowerCase()] !== undefined);
    if (ignored.length === 0) return;
    const isTrusted = app.get('trust proxy fn') as (address: string | undefined, hop: number) => boolean;
    if (isTrusted(socket.remoteAddress, 0)) return;
    const peer = String(socket.remoteAddress);
    this.warn('forwarded', peer, { peer }, [
      `Ignored ${ignored.join(', ')} of a peer that TRUST_PROXY does not name.`,
      'Name it there if it is a proxy of yours: otherwise its address counts as the address of all its clients.',
    ]);
  }

  private warn(kind: string, key: string, fields: object, sentences: string[]): void {
    const known = this.remembered.get(kind) ?? new Set();
    this.remembered.set(kind, known);
    if (known.has(key) || known.size >= MAX_REMEMBERED) return;
    known.add(key);
    if (known.size === MAX_REMEMBERED) sentences.push('Further ones like this are not logged.');
    this.logger.warn(fields, sentences.join(' '));
  }
}

@Global()
@Module({ providers: [EdgeWarnings], exports: [EdgeWarnings] })
export class EdgeWarningsModule {}

/** Logs only valid origins, because headers may contain anything. */
const shown = (origin: string) => (origin === 'null' || ORIGIN.test(origin) ? origin : '(malformed)');
