import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';

/** Where the built-in model is reached, and the key that only this process knows. */
@Injectable()
export class DemoModel {
  readonly modelName = 'parley-demo';
  readonly apiKey = `demo-${randomBytes(32).toString('base64url')}`;

  /** The base URL for an OpenAI client, given what the server listens on; a wildcard address becomes its loopback. */
  modelUrl(port: number, host: string): string {
    const reachable = host === '0.0.0.0' || host === '' ? '127.0.0.1' : host === '::' ? '::1' : host;
    return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}/demo/v1`;
  }

  /** Compares digests, so that the time taken tells nothing about the key, its length included. */
  accepts(apiKey: string): boolean {
    return timingSafeEqual(sha256(apiKey), sha256(this.apiKey));
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
