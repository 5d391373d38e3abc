import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;

type Algorithm = (typeof ALGORITHMS)[number];

/** A private key that a provider signs with. */
export async function newSigningKey(algorithm: Algorithm | 'ES384'): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: algorithm, use: 'sig' };
}

/**
 * A real OpenID provider (`oidc-provider`) in a process of its own, with new keys and a public client for each
 * algorithm. Usernames are subjects, with a verified address at example.com.
 */
export class OpenIdProvider {
  private constructor(
    private readonly process: ChildProcess,
    readonly issuer: string,
  ) {}

  static async start(port: number): Promise<OpenIdProvider> {
    const keys = await Promise.all(ALGORITHMS.map((algorithm) => newSigningKey(algorithm)));
    const script = join(import.meta.dirname, 'run-openid-provider.mjs');
    const env = { PATH: process.env.PATH, OPENID_PROVIDER: JSON.stringify({ port, keys }) };
    const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    return new OpenIdProvider(child, `http://127.0.0.1:${port}`);
  }

  /** Signs in by the authorization code flow with PKCE, as an app does. @returns the ID token */
  async signIn(login: string, algorithm: Algorithm): Promise<string> {
    const browser = new Browser(this.issuer);
    const client_id = `app-${algorithm}`;
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      client_id,
      response_type: 'code',
      scope: 'openid email profile',
      redirect_uri: 'https://app.example.com/callback',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      nonce: randomUUID(),
    });
    const loginPage = await browser.follow(`${this.issuer}/auth?${query}`);
    const consentPage = await browser.submit(loginPage, { prompt: 'login', login, password: 'any' });
    const callback = await browser.submit(consentPage, { prompt: 'consent' });
    const response = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id,
        grant_type: 'authorization_code',
        code: new URL(callback).searchParams.get('code')!,
        redirect_uri: 'https://app.example.com/callback',
        code_verifier: verifier,
      }),
    });
    return ((await response.json()) as { id_token: string }).id_token;
  }

  async stop(): Promise<void> {
    const exited = once(this.process, 'exit');
    this.process.kill();
    await exited;
  }
}

/** Follows redirects within the provider, with cookies. */
class Browser {
  private readonly cookies = new Map<string, string>();

  constructor(private readonly origin: string) {}

  /** @returns the URL of the page, or of the redirect to another origin */
  async follow(url: string, init: RequestInit = {}): Promise<string> {
    if (new URL(url).origin !== this.origin) return url;
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } });
    for (const header of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(header)!;
      this.cookies.set(name!, value!);
    }
    const location = response.headers.get('Location');
    return location ? this.follow(new URL(location, url).href) : url;
  }

  submit(page: string, fields: Record<string, string>): Promise<string> {
    return this.follow(page, { method: 'POST', body: new URLSearchParams(fields) });
  }
}

/** An issuer that can misbehave: discovery and keys alone. */
export class PlayedIssuer {
  keys: object[] = [];
  /** Paths of the requests. */
  readonly requests: string[] = [];
  /** Replaces the answer at a path. */
  answers: Partial<Record<string, (response: ServerResponse) => void>> = {};
  private readonly server: Server = createServer((request, response) => {
    const path = request.url!;
    this.requests.push(path);
    const played = this.answers[path];
    if (played) return played(response);
    const body =
      path === '/keys' ? { keys: this.keys } : { issuer: this.issuer, jwks_uri: `${this.issuer}/keys` };
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));
  });

  static async start(): Promise<PlayedIssuer> {
    const issuer = new PlayedIssuer();
    await once(issuer.server.listen(0, '127.0.0.1'), 'listening');
    return issuer;
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
