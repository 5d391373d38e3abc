import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fernetKey, jwtSecret, webhookSecret } from '../../test/support/secrets.js';
import { dataDir, errorsOf, load, loadInProduction, useDataDir } from '../../test/support/settings.js';
import { environmentSchema } from './environment.js';
import { EnvironmentError } from './environment-error.js';
import { Settings } from './settings.js';

const settingNames = Object.keys(environmentSchema(false).shape);

useDataDir();

describe('loadSettings', () => {
  it('has a default for everything outside production', () => {
    expect(load()).toEqual({
      nodeEnv: 'development',
      production: false,
      host: '127.0.0.1',
      port: 3000,
      metricsPort: undefined,
      dataDir,
      databaseUrl: `sqlite:${dataDir}/parley.db`,
      databasePool: 10,
      redisUrl: undefined,
      jwtSecrets: [expect.any(String)],
      encryptionKeys: [expect.any(String)],
      publicUrl: undefined,
      linkBaseUrl: 'http://127.0.0.1:3000',
      smtpUrl: undefined,
      mailFrom: 'Parley <no-reply@127.0.0.1>',
      emailVerification: 'optional',
      oidcProviders: [],
      registration: 'open',
      adminEmails: [],
      webhookUrl: undefined,
      webhookSecrets: [],
      filesUrl: `file:${dataDir}/files`,
      storageLimitBytes: 1024 * 1024 * 1024,
      corsOrigins: [],
      trustProxy: [],
      modelUrlAllowedHosts: [],
      loopbackModelsAllowed: true,
      rateLimitScale: 1,
      migrateOnStart: true,
      demoModel: true,
      shutdownDelaySeconds: 0,
      shutdownGraceSeconds: 30,
      retentionDays: undefined,
      retryInterrupted: false,
      upstreamFirstByteTimeoutSeconds: 300,
      upstreamIdleTimeoutSeconds: 60,
      upstreamTotalTimeoutSeconds: 900,
      logLevel: 'info',
    });
  });

  it.each([
    [{}, 'http://127.0.0.1:3000', 'Parley <no-reply@127.0.0.1>'],
    [{ HOST: '::1', PORT: '80' }, 'http://[::1]:80', 'Parley <no-reply@[::1]>'],
    [{ HOST: '0.0.0.0' }, 'http://localhost:3000', 'Parley <no-reply@localhost>'],
    [
      { PUBLIC_URL: 'https://chat.example.com/api' },
      'https://chat.example.com/api',
      'Parley <no-reply@chat.example.com>',
    ],
  ])('derives the base of links and the sender of mails from %o', (variables, linkBaseUrl, mailFrom) => {
    expect(load(variables)).toMatchObject({ linkBaseUrl, mailFrom });
  });

  it('returns an instance of the injected class', () => {
    expect(load()).toBeInstanceOf(Settings);
  });

  it('is stricter in production', () => {
    expect(loadInProduction()).toMatchObject({
      nodeEnv: 'production',
      production: true,
      host: '0.0.0.0',
      loopbackModelsAllowed: false,
      migrateOnStart: false,
      demoModel: false,
      shutdownDelaySeconds: 5,
    });
  });

  it('parses every setting', () => {
    const secrets = [jwtSecret(), jwtSecret()];
    const keys = [fernetKey(), fernetKey()];
    const webhooks = [webhookSecret(), webhookSecret(64)];

    const settings = load({
      NODE_ENV: 'test',
      HOST: '::1',
      PORT: '0',
      METRICS_PORT: '9464',
      DATABASE_URL: 'mysql://root@127.0.0.1:3310/parley',
      DATABASE_POOL: '25',
      REDIS_URL: 'rediss://:pw@cache:6390/1',
      JWT_SECRETS: secrets.join(','),
      ENCRYPTION_KEYS: keys.join(' , '),
      PUBLIC_URL: 'http://Chat.example.com:80/chat-api/',
      SMTP_URL: 'smtps://parley:p%40ss@mail.example.com:465',
      MAIL_FROM: 'Parley <chat@example.com>',
      EMAIL_VERIFICATION: 'required',
      OIDC_PROVIDERS: '[{"issuer": "https://login.example.com/", "audience": "app"}]',
      REGISTRATION: 'invite',
      ADMIN_EMAILS: 'ops@example.com, Root@Example.com',
      WEBHOOK_URL: 'http://App:80/hooks?key=1',
      WEBHOOK_SECRET: webhooks.join(', '),
      FILES_URL: 's3://bucket/prefix?region=eu-west-1&endpoint=http://minio:9000',
      STORAGE_LIMIT_MB: '5',
      CORS_ORIGINS: 'https://app.example.com, http://localhost:5173',
      TRUST_PROXY: 'loopback,10.0.0.0/8,::1,fd00::/8',
      MODEL_URL_ALLOWED_HOSTS: 'Ollama.local:11434,[::1],10.1.2.3',
      RATE_LIMIT_SCALE: '0.5',
      MIGRATE_ON_START: 'false',
      DEMO_MODEL: '0',
      SHUTDOWN_DELAY_S: '1.5',
      SHUTDOWN_GRACE_S: '0',
      RETENTION_DAYS: '365',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_SDK_DISABLED: 'false',
      RETRY_INTERRUPTED: '1',
      UPSTREAM_FIRST_BYTE_TIMEOUT_S: '0.25',
      UPSTREAM_IDLE_TIMEOUT_S: '5',
      UPSTREAM_TOTAL_TIMEOUT_S: '10',
      LOG_LEVEL: 'silent',
    });

    expect(settings).toEqual({
      nodeEnv: 'test',
      production: false,
      host: '::1',
      port: 0,
      metricsPort: 9464,
      dataDir,
      databaseUrl: 'mysql://root@127.0.0.1:3310/parley',
      databasePool: 25,
      redisUrl: 'rediss://:pw@cache:6390/1',
      jwtSecrets: secrets,
      encryptionKeys: keys,
      publicUrl: 'http://chat.example.com/chat-api',
      linkBaseUrl: 'http://chat.example.com/chat-api',
      smtpUrl: 'smtps://parley:p%40ss@mail.example.com:465',
      mailFrom: 'Parley <chat@example.com>',
      emailVerification: 'required',
      oidcProviders: [{ issuer: 'https://login.example.com/', audience: 'app' }],
      registration: 'invite',
      adminEmails: ['ops@example.com', 'Root@Example.com'],
      webhookUrl: 'http://app/hooks?key=1',
      webhookSecrets: webhooks,
      filesUrl: 's3://bucket/prefix?region=eu-west-1&endpoint=http://minio:9000',
      storageLimitBytes: 5 * 1024 * 1024,
      corsOrigins: ['https://app.example.com', 'http://localhost:5173', 'http://chat.example.com'],
      trustProxy: ['loopback', '10.0.0.0/8', '::1', 'fd00::/8'],
      modelUrlAllowedHosts: ['ollama.local:11434', '[::1]', '10.1.2.3'],
      loopbackModelsAllowed: false,
      rateLimitScale: 0.5,
      migrateOnStart: false,
      demoModel: false,
      shutdownDelaySeconds: 1.5,
      shutdownGraceSeconds: 0,
      retentionDays: 365,
      otlpEndpoint: 'http://collector:4318',
      retryInterrupted: true,
      upstreamFirstByteTimeoutSeconds: 0.25,
      upstreamIdleTimeoutSeconds: 5,
      upstreamTotalTimeoutSeconds: 10,
      logLevel: 'silent',
    });
  });

  it('treats an empty or blank variable as unset', () => {
    const blank = Object.fromEntries(settingNames.map((name) => [name, name.length % 2 ? '' : ' ']));

    expect(load({ ...blank, DATA_DIR: dataDir })).toEqual(load());
  });
});

describe('invalid settings', () => {
  const refused: Record<string, string[]> = {
    NODE_ENV: ['prod', 'Production', 'staging'],
    HOST: ['not a host', 'http://localhost', '-x', 'a_b'],
    METRICS_PORT: ['65536', 'off'],
    OTEL_EXPORTER_OTLP_ENDPOINT: ['collector:4318', 'grpc://collector:4317'],
    OTEL_SDK_DISABLED: ['2'],
    RETENTION_DAYS: ['0', '-1', '1.5', '36501', 'never'],
    DATABASE_POOL: ['0', '1001', '2.5', 'many'],
    PORT: ['65536', '-1', '3000.5', '0x10', '1e3', 'http'],
    DATABASE_URL: [
      'sqlite:',
      'postgres://h/d',
      'mysql://',
      'mysql://h',
      'mysql://h/',
      'mysql://h/a/b',
      'mysql://h/d?ssl-mode=REQUIRED',
      'mysql://h/d?ssl=true&ssl=false',
      'parley.db',
    ],
    REDIS_URL: [
      'localhost:6379',
      'http://h',
      'redis://',
      'redis://h/zero',
      'redis://:%zz@h',
      'redis+sentinel://h:26379',
      'redis+sentinel:///main',
      'redis+sentinel://h,/main',
      'redis+sentinel://h:port/main',
      'redis+sentinel://h/main/zero',
      'redis+cluster://',
      'redis+cluster://h:6379/main',
      'redis+cluster://a:1,b:99999',
      'redis+sentinel://:%zz@h/main',
    ],
    JWT_SECRETS: [
      'x',
      'ab'.repeat(40),
      randomBytes(15).toString('hex'),
      `${jwtSecret()},`,
      `${jwtSecret()},too short`,
      'a-string-secret-at-least-256-bits-long',
    ],
    ENCRYPTION_KEYS: [
      'x',
      jwtSecret(),
      randomBytes(32).toString('hex'),
      fernetKey().replace('=', ''),
      `${'-'.repeat(42)}B=`,
      `${fernetKey()},,${fernetKey()}`,
      'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=',
    ],
    SMTP_URL: [
      'mail.example.com',
      'http://mail.example.com',
      'smtp://',
      'smtp://h/path',
      'smtp://h?tls=false',
    ],
    OIDC_PROVIDERS: [
      'https://login.example.com',
      '{"issuer": "https://login.example.com", "audience": "app"}',
      '["https://login.example.com"]',
      '[null]',
      '[{"issuer": "https://login.example.com"}]',
      '[{"issuer": "login.example.com", "audience": "app"}]',
      '[{"issuer": "https://login.example.com?a=1", "audience": "app"}]',
      '[{"issuer": "https://ada@login.example.com", "audience": "app"}]',
      '[{"issuer": "https://login.example.com", "audience": ["app"]}]',
      '[{"issuer": "https://login.example.com", "audience": "app", "secret": "s"}]',
    ],
    REGISTRATION: ['Open', 'invited', 'true'],
    ADMIN_EMAILS: ['ops', 'ops@example.com,', 'a b@example.com'],
    EMAIL_VERIFICATION: ['Required', 'true', 'none'],
    MAIL_FROM: ['Parley', 'Parley <chat@example.com', 'a@b.c\r\nBcc: eve@example.com', 'a@b.c, d@e.f', '<>'],
    WEBHOOK_URL: [
      'app.example.com',
      'ftp://app.example.com',
      'https:app.example.com',
      'https://ada:secret@app.example.com',
      'https://app.example.com/#top',
      'https://app.example.com/a b',
    ],
    WEBHOOK_SECRET: [
      'x',
      randomBytes(32).toString('base64'),
      webhookSecret(23),
      webhookSecret(65),
      `whsec_${'A'.repeat(32)}`,
      `whsec_${randomBytes(25).toString('base64').replaceAll('=', '')}`,
      `${webhookSecret()},`,
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    ],
    PUBLIC_URL: [
      'chat.example.com',
      '/chat-api',
      'https:chat.example.com',
      'https://',
      'https://*.example.com',
      'https://ada:secret@chat.example.com',
      'https://@chat.example.com',
      'https://chat.example.com?a=1',
      'https://chat.example.com/?',
      'https://chat.example.com/#top',
      'https://chat.example.com:65536',
      'https://a.example.com,https://b.example.com',
      'https://chat.example.com/a b',
      'capacitor://localhost',
      'wss://chat.example.com',
    ],
    CORS_ORIGINS: [
      '*',
      'null',
      'app.example.com',
      'https://app.example.com/',
      'https://app.example.com/path',
      'https://App.example.com',
      'https://app.example.com:443',
      'https://user@app.example.com',
      'https://*.example.com',
      'ftp://app.example.com',
      'https://app.example.com,',
      'capacitor://localhost/',
      'capacitor://*',
      'app://',
      'file://',
    ],
    TRUST_PROXY: [
      'true',
      '1',
      '*',
      'proxy.example.com',
      '10.0.0.0/33',
      '10.0.0.0/0',
      '::/0',
      '::/129',
      '10.0.0.0/8/8',
      '127.1',
      '10.0.0.0/',
    ],
    MODEL_URL_ALLOWED_HOSTS: [
      '*',
      'http://localhost',
      'localhost:0',
      'localhost:65536',
      'localhost:http',
      '::1',
      '[::1',
      'user@host',
      'host/path',
      'a b',
      '999.1.1.1',
    ],
    FILES_URL: [
      '/var/files',
      'file:',
      'file://host/files',
      'http://bucket',
      's3://',
      's3://key:secret@bucket',
      's3://bucket:9000',
      's3://bucket?acl=public',
      's3://bucket?endpoint=minio:9000',
    ],
    STORAGE_LIMIT_MB: ['0', '-1', '1.5', '1GB', '100000001'],
    RATE_LIMIT_SCALE: ['-1', 'Infinity', 'NaN', 'off', '1,5'],
    MIGRATE_ON_START: ['yes', 'TRUE', 'on'],
    DEMO_MODEL: ['maybe'],
    SHUTDOWN_DELAY_S: ['-1', '5s', '1e3', '2147484'],
    SHUTDOWN_GRACE_S: ['-1', '30s', '2147484'],
    RETRY_INTERRUPTED: ['2'],
    UPSTREAM_FIRST_BYTE_TIMEOUT_S: ['0', '-5', '1m', '2147484'],
    UPSTREAM_IDLE_TIMEOUT_S: ['0', '0.0'],
    UPSTREAM_TOTAL_TIMEOUT_S: ['0', '9'.repeat(400)],
    LOG_LEVEL: ['verbose', 'INFO'],
  };
  const cases = Object.entries(refused).flatMap(([name, values]) =>
    values.map((value) => [name, value] as const),
  );

  it('cover every setting except the one that accepts any text', () => {
    expect(Object.keys(refused).sort()).toEqual(settingNames.filter((name) => name !== 'DATA_DIR').sort());
  });

  it.each(cases)('name %s in the error for %j', (name, value) => {
    // Required with WEBHOOK_URL.
    const others = { WEBHOOK_SECRET: webhookSecret() };
    expect(errorsOf({ ...others, [name]: value })).toEqual([expect.stringMatching(`^${name} `)]);
  });

  it('report all errors, one per line', () => {
    const worst = Object.fromEntries(Object.entries(refused).map(([name, [value]]) => [name, value]));
    const errors = errorsOf(worst);

    expect(errors.map((error) => error.split(' ')[0]).sort()).toEqual(Object.keys(refused).sort());
    const { message } = new EnvironmentError(errors);
    for (const error of errors) expect(message.split('\n')).toContain(`  - ${error}`);
  });

  it('report invalid list items by position', () => {
    expect(errorsOf({ JWT_SECRETS: `x,${jwtSecret()},y` })).toEqual([
      'JWT_SECRETS item 1 is shorter than 32 bytes',
      'JWT_SECRETS item 3 is shorter than 32 bytes',
    ]);
  });

  it.each(settingNames.filter((name) => name !== 'DATA_DIR'))('do not show the value of %s', (name) => {
    const secret = `?${randomBytes(12).toString('hex')}`;
    let shown = '';
    try {
      load({ [name]: `${secret},${secret}` });
    } catch (error) {
      const { message, stack, errors, cause } = error as EnvironmentError;
      shown = [message, stack, JSON.stringify(errors), String(cause)].join();
    }

    expect(shown).toContain(name);
    expect(shown).not.toContain(secret);
  });

  it('generate no secret if any setting is invalid', () => {
    errorsOf({ PORT: 'x' });

    expect(existsSync(dataDir)).toBe(false);
  });
});
