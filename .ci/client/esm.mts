import { createParley, ParleyError, type User } from '@parley/client';

const parley = createParley({ baseUrl: 'http://127.0.0.1:9' });
await parley.auth.ready;
const user: User | null = parley.auth.user;
const error: unknown = await parley.rest.checkLiveness().catch((reason: unknown) => reason);
if (user || !(error instanceof ParleyError) || error.code !== 'network_error') throw new Error('ESM failed');
parley.close();
console.log('ESM works');
