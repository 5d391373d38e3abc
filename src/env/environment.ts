import { z } from 'zod';
import { modelHosts, trustedProxies } from './rules/network-rules.js';
import { oidcProviders } from './rules/oidc-rules.js';
import {
  checkEncryptionKey,
  checkJwtSecret,
  checkProductionEncryptionKey,
  secrets,
  webhookSecrets,
} from './rules/secret-rules.js';
import {
  databaseUrl,
  filesUrl,
  httpUrl,
  origins,
  publicUrl,
  redisUrl,
  smtpUrl,
  webhookUrl,
} from './rules/url-rules.js';
import {
  emails,
  host,
  mailSender,
  nonNegativeNumber,
  oneOf,
  poolSize,
  port,
  positiveSeconds,
  retentionDays,
  seconds,
  storageLimit,
  trueOrFalse,
} from './rules/value-rules.js';

export type Environment = z.infer<ReturnType<typeof environmentSchema>>;

/** All environment variables with their defaults. Defaults that depend on other variables are in settings.ts. */
export function environmentSchema(production: boolean) {
  return z.object({
    NODE_ENV: oneOf(['development', 'production', 'test']).default('development'),
    HOST: host.default(production ? '0.0.0.0' : '127.0.0.1'),
    PORT: port.default(3000),
    METRICS_PORT: port.optional(),
    DATA_DIR: z.string().default('./data'),
    DATABASE_URL: databaseUrl.optional(),
    DATABASE_POOL: poolSize.default(10),
    REDIS_URL: redisUrl.optional(),
    ...secretsSchema(production),
    PUBLIC_URL: publicUrlSchema(production).optional(),
    SMTP_URL: smtpUrl.optional(),
    MAIL_FROM: mailSender.optional(),
    EMAIL_VERIFICATION: oneOf(['off', 'optional', 'required']).default('optional'),
    OIDC_PROVIDERS: oidcProviders(production).default([]),
    REGISTRATION: oneOf(['open', 'invite', 'closed']).default('open'),
    ADMIN_EMAILS: emails.default([]),
    WEBHOOK_URL: webhookUrl(production).optional(),
    WEBHOOK_SECRET: webhookSecrets().optional(),
    FILES_URL: filesUrl.optional(),
    STORAGE_LIMIT_MB: storageLimit.default(1024),
    CORS_ORIGINS: origins.default([]),
    TRUST_PROXY: trustedProxies.default([]),
    MODEL_URL_ALLOWED_HOSTS: modelHosts.optional(),
    RATE_LIMIT_SCALE: nonNegativeNumber.default(1),
    MIGRATE_ON_START: trueOrFalse.default(!production),
    DEMO_MODEL: demoModelSchema(production),
    SHUTDOWN_DELAY_S: seconds.default(production ? 5 : 0),
    SHUTDOWN_GRACE_S: seconds.default(30),
    RETENTION_DAYS: retentionDays.optional(),
    OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
    OTEL_SDK_DISABLED: trueOrFalse.default(false),
    RETRY_INTERRUPTED: trueOrFalse.default(false),
    UPSTREAM_FIRST_BYTE_TIMEOUT_S: positiveSeconds.default(300),
    UPSTREAM_IDLE_TIMEOUT_S: positiveSeconds.default(60),
    UPSTREAM_TOTAL_TIMEOUT_S: positiveSeconds.default(900),
    LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  });
}

function secretsSchema(production: boolean) {
  const jwtSecrets = secrets(checkJwtSecret);
  const encryptionKeys = secrets(production ? checkProductionEncryptionKey : checkEncryptionKey);
  return {
    JWT_SECRETS: production ? jwtSecrets : jwtSecrets.optional(),
    ENCRYPTION_KEYS: production ? encryptionKeys : encryptionKeys.optional(),
  };
}

function publicUrlSchema(production: boolean) {
  const message = 'must be https in production, where plain HTTP is refused';
  return publicUrl.refine((url) => !production || url.startsWith('https:'), message);
}

function demoModelSchema(production: boolean) {
  const message = 'must not be true in production: the demo model answers anybody';
  return trueOrFalse.default(!production).refine((on) => !(production && on), message);
}
