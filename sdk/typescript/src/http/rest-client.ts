import { networkError, responseError, ParleyError } from '../error.js';
import type { SessionTokens } from '../auth/session-tokens.js';
import type { RequestEvents } from './event-stream.js';
import { createClient, type Client } from '../rest/client/index.js';
import type { Problem } from '../rest/types.gen.js';

export type Fetch = typeof globalThis.fetch;

/** Failures of an access token that a refresh may cure, or show to be final. */
const RENEWABLE = new Set(['token_expired', 'token_revoked', 'unauthenticated']);

/** The generated client's transport: sends the access token, renews it once when it is refused, throws ParleyErrors. */
export function createRestClient(baseUrl: string, fetch: Fetch, tokens: () => SessionTokens): Client {
  const client = createClient({
    baseUrl,
    throwOnError: true,
    auth: () => tokens().accessToken(),
    fetch: async (input) => {
      const request = input as Request;
      return withWholeBody(await authorizedFetch(request, fetch, tokens()), request.signal);
    },
  });
  client.interceptors.error.use((error, response) =>
    response instanceof Response ? responseError(error, response) : error,
  );
  return client;
}

/** @param tokens of the session that makes the requests */
export function createEventRequest(baseUrl: string, fetch: Fetch, tokens: SessionTokens): RequestEvents {
  return async (path, { body, lastEventId, signal }) => {
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : {};
    const response = await withNewToken(tokens, (token) => {
      const headers = {
        Accept: 'text/event-stream',
        Authorization: `Bearer ${token}`,
        ...(body && { 'Content-Type': 'application/json' }),
        ...(lastEventId && { 'Last-Event-ID': lastEventId }),
      };
      return reach(new Request(baseUrl + path, { ...init, headers, signal }), fetch);
    });
    if (!response.ok) throw responseError(await response.json().catch(() => null), response);
    return response;
  };
}

/** Makes a request, and repeats it with a new access token after a 401. */
export async function withNewToken(
  tokens: SessionTokens,
  request: (token: string) => Promise<Response>,
): Promise<Response> {
  const token = await tokens.accessToken();
  const response = await request(token);
  if (response.status !== 401 || !(await isRenewable(response))) return response;
  return request(await tokens.refresh(token));
}

/** As `withNewToken`, for a request that has its token already. */
async function authorizedFetch(request: Request, fetch: Fetch, tokens: SessionTokens): Promise<Response> {
  const used = request.headers.get('Authorization')?.replace(/^Bearer /, '');
  const again = used && used === tokens.session?.access_token ? request.clone() : null;
  const response = await reach(request, fetch);
  if (!again || response.status !== 401 || !(await isRenewable(response))) return response;
  again.headers.set('Authorization', `Bearer ${await tokens.refresh(used!)}`);
  return reach(again, fetch);
}

async function isRenewable(response: Response): Promise<boolean> {
  const problem = (await response
    .clone()
    .json()
    .catch(() => null)) as Partial<Problem> | null;
  return RENEWABLE.has(problem?.code ?? '');
}

export function reach(request: Request, fetch: Fetch): Promise<Response> {
  return fetch(request)
    .then(requireNoPage)
    .catch((error: unknown) => fail(error, request.signal));
}

/** The sign-in page of a network, or another server at this address: the server answers with HTML nowhere. */
function requireNoPage(response: Response): Response {
  if (response.ok && /^text\/html/i.test(response.headers.get('Content-Type') ?? ''))
    throw networkError('The answer is a web page.');
  return response;
}

/** Reads the body here: a connection may break in it, after the head of the response. */
async function withWholeBody(response: Response, signal: AbortSignal | undefined): Promise<Response> {
  const { status, statusText, headers } = response;
  const isText = /json|^text\/event-stream/.test(headers.get('Content-Type') ?? 'json');
  const reading: Promise<string | Blob> = isText ? response.text() : response.blob();
  const body = await reading.catch((error: unknown) => fail(error, signal));
  return new Response(body || null, { status, statusText, headers });
}

function fail(error: unknown, signal: AbortSignal | undefined): never {
  throw signal?.aborted || error instanceof ParleyError ? error : networkError(error);
}
