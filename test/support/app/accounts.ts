import type { TestApp } from './app.js';
import type { Tokens } from './user.js';

let count = 0;

/** Credentials of an account that is not registered yet. */
export function newAccount() {
  const username = `somebody${++count}`;
  return { username, email: `${username}@example.com`, password: 'a long enough pass phrase' };
}

export function logIn(
  t: TestApp,
  { email, password }: { email: string; password: string },
  headers?: Record<string, string>,
) {
  return t.http.post<Tokens & { code?: string }>('/auth/login', { email, password }, headers);
}

export function refresh(t: TestApp, refresh_token: string) {
  return t.http.post<Tokens & { code?: string }>('/auth/refresh', { refresh_token });
}
