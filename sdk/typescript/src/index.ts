export { createParley, type Parley, type ParleyOptions } from './parley.js';
export type { Auth, AuthState } from './auth/auth.js';
export type { SignedOutReason } from './auth/session-tokens.js';
export { memoryStorage, type ParleyStorage } from './auth/storage.js';
export { ParleyError } from './error.js';
export type { Readable } from './store.js';
export type { Rest } from './rest/index.js';
export type * from './rest/types.gen.js';
