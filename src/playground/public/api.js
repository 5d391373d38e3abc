/** HTTP API calls and their tokens. */

const STORED = 'parley.tokens';

/** Emits `change` when the browser signs in or out, in any tab. */
export const session = new EventTarget();

/** RFC 9457 problem returned by the server. */
export class ProblemError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || 'Something went wrong.');
    this.problem = problem;
  }
}

const tokens = () => JSON.parse(localStorage.getItem(STORED));
export const signedIn = () => tokens() !== null;

export async function register(account) {
  await fetchJson('POST', '/auth/register', account);
  await logIn(account);
}

export async function logIn({ email, password }) {
  keep(await fetchJson('POST', '/auth/login', { email, password }));
  session.dispatchEvent(new Event('change'));
}

export async function logOut() {
  await api('POST', '/auth/logout').catch(() => {}); // signs out locally even if the call fails
  forget();
}

/** Calls the API as the signed-in user. @returns the response's JSON @throws {ProblemError} */
export async function api(method, path, body) {
  const token = await accessToken();
  try {
    return await fetchJson(method, path, body, token);
  } catch (error) {
    if (error.problem?.status !== 401) throw error;
    return fetchJson(method, path, body, await accessToken({ instead: token }));
  }
}

/**
 * Returns an access token, refreshed if it expires soon.
 * @param {{validForMs?: number, instead?: string}} options `instead`: a token refused by the server
 */
export async function accessToken({ validForMs = 30_000, instead } = {}) {
  const stored = tokens();
  if (!stored) throw new ProblemError({ status: 401, detail: 'Please log in.' });
  if (stored.access_token === instead || stored.expires_at - Date.now() < validForMs) await refresh();
  return tokens().access_token;
}

let refreshing;

function refresh() {
  refreshing ??= spend(tokens().refresh_token).finally(() => (refreshing = undefined));
  return refreshing;
}

async function spend(refreshToken) {
  try {
    keep(await fetchJson('POST', '/auth/refresh', { refresh_token: refreshToken }));
  } catch (error) {
    const replaced = tokens()?.refresh_token !== refreshToken; // another tab was faster
    if (error.problem?.status === 401 && !replaced) forget();
    throw error;
  }
}

async function fetchJson(method, path, body, token) {
  const headers = { ...(body && { 'Content-Type': 'application/json' }) };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(new URL(`.${path}`, import.meta.url), {
    method,
    headers,
    body: body && JSON.stringify(body),
  }).catch(() => {
    throw new ProblemError({ detail: 'The server cannot be reached.' });
  });
  if (response.status === 204) return undefined;
  const answer = await response.json().catch(() => ({ status: response.status, title: response.statusText }));
  if (!response.ok) throw new ProblemError(answer);
  return answer;
}

function keep(pair) {
  localStorage.setItem(STORED, JSON.stringify({ ...pair, expires_at: Date.now() + pair.expires_in * 1000 }));
}

function forget() {
  localStorage.removeItem(STORED);
  session.dispatchEvent(new Event('change'));
}

addEventListener('storage', ({ key, oldValue, newValue }) => {
  if (key === STORED && !oldValue !== !newValue) session.dispatchEvent(new Event('change'));
});
