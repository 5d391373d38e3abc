import { expect, it } from '@jest/globals';
import { ProviderErrorFactory } from '../../ai/errors/provider-error-factory.js';
import * as auth from '../../auth/auth.errors.js';
import { NotFoundError } from '../../common/errors/errors.js';
import * as configs from '../../configs/configs.errors.js';
import * as files from '../../files/files.errors.js';
import { PROBLEM_CODES } from './problem-codes.js';

const provider = new ProviderErrorFactory({ apiKey: '', modelUrl: 'https://api.example', hidesUrl: false });
const errors = [
  ...Object.values({ ...auth, ...files }).map((create) => create(true)),
  new NotFoundError('conversation'),
  configs.configLimitReached(50),
  configs.keyUnreadable({ id: 1, userId: 1 }),
  configs.sharedConfig(),
  configs.noModelConfig(),
  provider.truncated(),
  provider.from(new Error('connect ECONNREFUSED')),
];

it.each([...new Set(errors.map(({ code }) => code))])('%s has an example that is sent', (code) => {
  const sent = errors.filter((error) => error.code === code).map(({ detail }) => detail);

  expect(sent).toContain(PROBLEM_CODES[code]?.detail);
});
