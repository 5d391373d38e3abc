import { isIP, LookupFunction } from 'node:net';
import { Inject, Injectable, OnApplicationShutdown } from '@nestjs/common';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { Settings } from '../../env/settings.js';
import { isLoopbackAddress, isOwnAddress, isPublicAddress } from './addresses.js';
import { ModelUrlError } from '../provider/provider.error.js';
import { isLocalName, RESOLVE_HOST, type ResolveHost } from './resolve-host.js';
import { skipContinue } from './skip-continue.js';

const CONNECT_TIMEOUT_MS = 10_000;
const AGENT_OPTIONS = {
  connections: 4_096, // per origin
  keepAliveTimeout: 30_000,
  maxHeaderSize: 64 * 1024, // bytes
  pipelining: 1,
  // The Watchdog has the timeouts, across retries.
  headersTimeout: 0,
  bodyTimeout: 0,
};

interface Agents {
  guarded: Agent;
  /** A separate pool, so that guarded requests never reuse its connections. */
  trusted: Agent;
}

class RefusedAddressError extends Error {
  readonly code = 'EREFUSED';
}

/**
 * Allows connections to public addresses only, because users choose the URLs. Checked when connecting, after DNS
 * resolution. Operators configure exceptions.
 */
@Injectable()
export class EgressGuard implements OnApplicationShutdown {
  /** Created at first use: undici is slow to load. */
  private agents?: Promise<Agents>;

  constructor(
    private readonly settings: Settings,
    @Inject(RESOLVE_HOST) private readonly resolve: ResolveHost,
  ) {}

  async dispatcher(trusted = false): Promise<Dispatcher> {
    this.agents ??= this.makeAgents();
    const agents = await this.agents;
    return trusted ? agents.trusted : agents.guarded;
  }

  /** Checks the text of a URL. Throws a ModelUrlError. */
  checkUrl(modelUrl: string): void {
    const url = parseUrl(modelUrl);
    if (this.isAllowedHost(url.hostname, portOf(url.protocol, url.port))) return;
    if (this.settings.production && url.protocol !== 'https:') throw new ModelUrlError('must use https');
    const host = unbracket(url.hostname);
    const refused = isIP(host)
      ? !this.isAllowed(host)
      : isLocalName(host) && !this.settings.loopbackModelsAllowed;
    if (refused) throw new ModelUrlError('must lead to a public address');
  }

  async onApplicationShutdown(): Promise<void> {
    const agents = await this.agents;
    await Promise.all([agents?.guarded.destroy(), agents?.trusted.destroy()]);
  }

  private async makeAgents(): Promise<Agents> {
    const { Agent, buildConnector } = await import('undici');
    const connector = (lookup: LookupFunction) => {
      const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup });
      return withSkippedContinue(connect);
    };
    const checked = connector(this.lookup(false, (address) => this.isAllowed(address)));
    const unchecked = connector(this.lookup(true, () => true));
    return {
      guarded: new Agent({ ...AGENT_OPTIONS, connect: this.guard(checked, unchecked) }),
      trusted: new Agent({ ...AGENT_OPTIONS, connect: unchecked }),
    };
  }

  private guard(
    checked: buildConnector.connector,
    unchecked: buildConnector.connector,
  ): buildConnector.connector {
    return (options, callback) => {
      const port = portOf(options.protocol, options.port);
      if (this.isAllowedHost(bracket(options.hostname), port)) return unchecked(options, callback);
      // Literal addresses are not looked up, so the lookup cannot check them.
      if (isIP(options.hostname) && !this.isAllowed(options.hostname)) {
        return process.nextTick(callback, new RefusedAddressError(), null);
      }
      checked(options, callback);
    };
  }

  /** Refuses a name if any of its addresses is refused: only an attacker mixes them. */
  private lookup(isTrusted: boolean, isAllowed: (address: string) => boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.resolve(hostname, isTrusted).then(
        (addresses) => {
          const [first] = addresses;
          if (!first || !addresses.every(({ address }) => isAllowed(address))) {
            callback(new RefusedAddressError(), []);
          } else if (options.all) callback(null, addresses);
          else callback(null, first.address, first.family);
        },
        (error: Error) => callback(error, []),
      );
    };
  }

  private isAllowed(address: string): boolean {
    if (isPublicAddress(address)) return !isOwnAddress(address);
    return this.settings.loopbackModelsAllowed && isLoopbackAddress(address);
  }

  private isAllowedHost(hostname: string, port: string): boolean {
    const { modelUrlAllowedHosts } = this.settings;
    return modelUrlAllowedHosts.includes(hostname) || modelUrlAllowedHosts.includes(`${hostname}:${port}`);
  }
}

/** URL parsers also accept `https:host`, `https:///host` and `https:\\\\host`, which are easily misread. */
const EXPLICIT_HOST = /^https?:\/\/[^/\\\s][^\\\s]*$/i;
/** Includes empty credentials, which URL parsers drop. */
const HAS_CREDENTIALS = /:\/\/[^/?#]*@/;

function withSkippedContinue(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...[error, socket]: Parameters<buildConnector.Callback>) => {
      if (error) return callback(error, null);
      skipContinue(socket);
      callback(null, socket);
    });
}

function parseUrl(modelUrl: string): URL {
  if (!URL.canParse(modelUrl)) throw new ModelUrlError('must be a URL such as https://api.openai.com/v1');
  const url = new URL(modelUrl);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new ModelUrlError('must use http or https');
  if (!EXPLICIT_HOST.test(modelUrl)) throw new ModelUrlError('must be written scheme://host');
  if (HAS_CREDENTIALS.test(modelUrl)) throw new ModelUrlError('must not contain credentials');
  if (url.hash) throw new ModelUrlError('must not contain a fragment');
  return url;
}

function portOf(protocol: string, port: string): string {
  return port || (protocol === 'https:' ? '443' : '80');
}

function bracket(hostname: string): string {
  return isIP(hostname) === 6 ? `[${hostname}]` : hostname;
}

function unbracket(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
