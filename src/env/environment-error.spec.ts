/** Texts of the errors, by which an operator corrects the environment. */
import { expect, it } from '@jest/globals';
import { fernetKey, jwtSecret } from '../../test/support/secrets.js';
import { errorsOf, loadInProduction, useDataDir } from '../../test/support/settings.js';
import { EnvironmentError } from './environment-error.js';

const WHOLE = 'must be a whole number from';
const SECONDS = 'must be a number of seconds';
const HTTP_URL = 'must be http(s)://host[:port][/path]';
const BOOLEAN = 'must be true or false';

useDataDir();

it.each([
  ['NODE_ENV', '?', 'must be one of development, production, test'],
  ['HOST', '?', 'must be an address or a host name to listen on'],
  ['PORT', '?', `${WHOLE} 0 to 65535`],
  ['METRICS_PORT', '?', `${WHOLE} 0 to 65535`],
  [
    'DATABASE_URL',
    '?',
    'must be sqlite:<path>, sqlite::memory:, mysql://user:password@host:port/database[?ssl=true] or mariadb://…',
  ],
  ['DATABASE_POOL', '?', `${WHOLE} 1 to 1000`],
  [
    'REDIS_URL',
    '?',
    'must be redis://host:port, redis+sentinel://host:port,…/primary[/database] or redis+cluster://host:port,…, or with rediss',
  ],
  ['JWT_SECRETS', '?', 'item 1 is shorter than 32 bytes'],
  ['JWT_SECRETS', 'ab'.repeat(40), 'item 1 has fewer than 10 different characters'],
  [
    'JWT_SECRETS',
    '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
    'item 1 is printed in public documents: generate one of your own',
  ],
  ['ENCRYPTION_KEYS', '?', 'item 1 is not a Fernet key (32 bytes in base64url with padding, 44 characters)'],
  ['PUBLIC_URL', '?', `${HTTP_URL}, without credentials, query or fragment`],
  ['SMTP_URL', '?', 'must be smtp(s)://[user:password@]host[:port], without a query'],
  ['MAIL_FROM', '?', 'must be an email address, or Name <address>'],
  ['EMAIL_VERIFICATION', '?', 'must be one of off, optional, required'],
  ['OIDC_PROVIDERS', '?', 'must be a JSON list: [{"issuer": "https://…", "audience": "…"}]'],
  ['OIDC_PROVIDERS', '[null]', 'item 1 is not an object'],
  [
    'OIDC_PROVIDERS',
    '[{"issuer": "login", "audience": "app"}]',
    'item 1 has no issuer that is an https URL without query or fragment',
  ],
  ['OIDC_PROVIDERS', '[{"issuer": "https://login.test"}]', 'item 1 has no audience of 1 to 255 characters'],
  [
    'OIDC_PROVIDERS',
    '[{"issuer": "https://login.test", "audience": "app", "secrets-of-this-client": "s"}]',
    'item 1 has an unknown field "secrets-of-this-clie"',
  ],
  ['REGISTRATION', '?', 'must be one of open, invite, closed'],
  ['ADMIN_EMAILS', '?', 'item 1 is not an email address'],
  ['WEBHOOK_SECRET', '?', 'item 1 is not whsec_ followed by 24 to 64 bytes in base64'],
  [
    'WEBHOOK_SECRET',
    'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
    'item 1 is printed in public documents: generate one of your own',
  ],
  ['FILES_URL', '?', 'must be file:<folder> or s3://bucket[/prefix][?region=…&endpoint=http(s)://…]'],
  ['STORAGE_LIMIT_MB', '?', `${WHOLE} 1 to 100000000`],
  ['CORS_ORIGINS', 'https://app.test,', 'item 2 is empty'],
  [
    'TRUST_PROXY',
    '?',
    'item 1 is not an address, a subnet such as 10.0.0.0/8, or one of loopback, linklocal, uniquelocal',
  ],
  ['MODEL_URL_ALLOWED_HOSTS', '?', 'item 1 is not a host or host:port (IPv6 in brackets)'],
  ['RATE_LIMIT_SCALE', '?', 'must be a number, 0 or more'],
  ['MIGRATE_ON_START', '?', BOOLEAN],
  ['DEMO_MODEL', '?', BOOLEAN],
  ['SHUTDOWN_DELAY_S', '?', `${SECONDS}, 0 to 2147483`],
  ['SHUTDOWN_GRACE_S', '?', `${SECONDS}, 0 to 2147483`],
  ['RETENTION_DAYS', '?', `${WHOLE} 1 to 36500`],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', '?', HTTP_URL],
  ['OTEL_SDK_DISABLED', '?', BOOLEAN],
  ['RETRY_INTERRUPTED', '?', BOOLEAN],
  ['UPSTREAM_FIRST_BYTE_TIMEOUT_S', '?', `${SECONDS} above 0, to 2147483`],
  ['UPSTREAM_IDLE_TIMEOUT_S', '?', `${SECONDS} above 0, to 2147483`],
  ['UPSTREAM_TOTAL_TIMEOUT_S', '?', `${SECONDS} above 0, to 2147483`],
  ['LOG_LEVEL', '?', 'must be one of fatal, error, warn, info, debug, trace, silent'],
])('says of %s=%s what is wrong', (name, value, error) => {
  expect(errorsOf({ [name]: value })).toEqual([`${name} ${error}`]);
});

it.each([
  [{ DEMO_MODEL: 'true' }, 'DEMO_MODEL must not be true in production: the demo model answers anybody'],
  [
    { ENCRYPTION_KEYS: `${'A'.repeat(43)}=` },
    'ENCRYPTION_KEYS item 1 has fewer than 10 different characters',
  ],
])('says of %o what is wrong in production', (variables, error) => {
  expect(errorsOf(variables, loadInProduction)).toEqual([error]);
});

it.each([
  [{}, 'https://host[:port][/path][?query] or http'],
  [
    { NODE_ENV: 'production', JWT_SECRETS: jwtSecret(), ENCRYPTION_KEYS: fernetKey() },
    'https://host[:port][/path][?query], or http for an internal host',
  ],
])('says what WEBHOOK_URL must be: %#', (others, form) => {
  expect(errorsOf({ ...others, WEBHOOK_URL: '?' })).toContain(
    `WEBHOOK_URL must be ${form}, without credentials or fragment`,
  );
});

it('lists the errors between their number and where settings are described', () => {
  expect(new EnvironmentError(['PORT is odd', 'HOST is even']).message).toBe(
    [
      'Parley cannot start: 2 errors in its environment.',
      '  - PORT is odd',
      '  - HOST is even',
      'Every setting is described in .env.example.',
    ].join('\n'),
  );
  expect(new EnvironmentError(['PORT is odd']).message).toContain('start: 1 error in its environment.\n');
});
