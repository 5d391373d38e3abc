import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';

/** Loopback addresses by the wildcard that listens on them. */
const LOOPBACKS = new Map([
  ['', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** The URL and the key of the built-in model. The key never leaves the process. */
@Injectable()
export class DemoModel {
  readonly modelName = 'parley-demo';
  readonly apiKey = `demo-${randomBytes(32).toString('base64url')}`;

  /** Builds the base URL from the address that the server listens on; wildcards become loopback. */
  modelUrl(port: number, host: string): string {
    const reachable = LOOPBACKS.get(host) ?? host;
    return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}/demo/v1`;
  }

  /** Compares digests in constant time, so that timing reveals neither the key nor its length. */
  accepts(apiKey: string): boolean {
    return timingSafeEqual(sha256(apiKey), sha256(this.apiKey));
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
