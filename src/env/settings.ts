import { isIPv6 } from 'node:net';
import { generatedEncryptionKey, generatedJwtSecret } from './default-secrets.js';
import { EnvironmentError } from './environment-error.js';
import { type Environment, environmentSchema } from './environment.js';
import type { OidcProvider } from './rules/oidc-rules.js';

/** The validated environment; also its injection token. */
export class Settings {
  readonly nodeEnv!: 'development' | 'production' | 'test';
  readonly production!: boolean;
  readonly host!: string;
  readonly port!: number;
  /** Port of `/metrics` alone. */
  readonly metricsPort?: number;
  readonly dataDir!: string;
  /** `sqlite:<path>`, `mysql://…` or `mariadb://…` */
  readonly databaseUrl!: string;
  /** Connections of this node to MySQL; SQLite has one. */
  readonly databasePool!: number;
  readonly redisUrl?: string;
  /** The first signs, all verify. Never empty. */
  readonly jwtSecrets!: string[];
  /** Fernet keys: the first encrypts, all decrypt. Never empty. */
  readonly encryptionKeys!: string[];
  /** The server's public URL without a trailing slash. */
  readonly publicUrl?: string;
  /** Base of links in mails: `publicUrl`, or the address the server listens on. */
  readonly linkBaseUrl!: string;
  readonly smtpUrl?: string;
  /** In RFC 5322 notation: `address` or `Name <address>`. */
  readonly mailFrom!: string;
  /** `optional` mails links and refuses nothing; `required` refuses logins of users with an unverified address. */
  readonly emailVerification!: 'off' | 'optional' | 'required';
  /** Whose ID tokens sign users in. An issuer with several audiences is listed with each. */
  readonly oidcProviders!: OidcProvider[];
  readonly registration!: 'open' | 'invite' | 'closed';
  /** Users with one of these addresses, once verified, are administrators. */
  readonly adminEmails!: string[];
  /** Receives webhooks. */
  readonly webhookUrl?: string;
  /** `whsec_…`: each signs. Not empty if `webhookUrl` is set. */
  readonly webhookSecrets!: string[];
  /** `file:<folder>` or `s3://bucket/prefix?region=…&endpoint=…` */
  readonly filesUrl!: string;
  /** Of one user. */
  readonly storageLimitBytes!: number;
  /** Includes the origin of `publicUrl`. */
  readonly corsOrigins!: string[];
  /** In Express's `trust proxy` notation. */
  readonly trustProxy!: string[];
  /** `host` or `host:port`, the host as `URL.hostname` spells it. */
  readonly modelUrlAllowedHosts!: string[];
  readonly loopbackModelsAllowed!: boolean;
  /** Multiplies all limits; 0 disables them. */
  readonly rateLimitScale!: number;
  readonly migrateOnStart!: boolean;
  readonly demoModel!: boolean;
  readonly shutdownDelaySeconds!: number;
  readonly shutdownGraceSeconds!: number;
  /** Unset keeps conversations for ever. */
  readonly retentionDays?: number;
  /** Receives traces and metrics by OTLP; unset if OTEL_SDK_DISABLED. */
  readonly otlpEndpoint?: string;
  readonly retryInterrupted!: boolean;
  readonly upstreamFirstByteTimeoutSeconds!: number;
  readonly upstreamIdleTimeoutSeconds!: number;
  readonly upstreamTotalTimeoutSeconds!: number;
  readonly logLevel!: string;
}

/**
 * Outside production, loads `.env` from the working directory into process.env. Variables already set take precedence,
 * and the file may be missing.
 */
export function readDotEnv(): void {
  if (process.env.NODE_ENV?.trim() === 'production') return;
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/**
 * Validates the environment; an empty variable counts as unset. Outside production, generates missing secrets and stores
 * them in DATA_DIR for the next start.
 * @throws {EnvironmentError} with all errors at once
 */
export function loadSettings(environment: NodeJS.ProcessEnv): Settings {
  const present = dropEmpty(environment);
  const production = present.NODE_ENV === 'production';
  const checked = environmentSchema(production).safeParse(present);
  const invalid = checked.error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`) ?? [];
  const errors = [
    ...invalid,
    ...(production ? missingForMails(present) : []),
    ...missingForWebhooks(present),
  ];
  if (!checked.success || errors.length > 0) throw new EnvironmentError(errors);
  return Object.assign(new Settings(), toSettings(checked.data, production));
}

function missingForMails({ SMTP_URL, PUBLIC_URL, EMAIL_VERIFICATION }: NodeJS.ProcessEnv): string[] {
  if (SMTP_URL && !PUBLIC_URL)
    return ['PUBLIC_URL is required in production with SMTP_URL: mails contain links to it'];
  if (EMAIL_VERIFICATION === 'required' && !SMTP_URL)
    return ['SMTP_URL is required in production with EMAIL_VERIFICATION=required: nobody could log in'];
  return [];
}

function missingForWebhooks({ WEBHOOK_URL, WEBHOOK_SECRET }: NodeJS.ProcessEnv): string[] {
  if (!WEBHOOK_URL || WEBHOOK_SECRET) return [];
  return ['WEBHOOK_SECRET is required with WEBHOOK_URL: it signs what is sent there'];
}

function dropEmpty(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const trimmed = Object.entries(environment).map(([name, value]) => [name, value?.trim()] as const);
  return Object.fromEntries(trimmed.filter(([, value]) => value));
}

function toSettings(checked: Environment, production: boolean): Settings {
  return {
    nodeEnv: checked.NODE_ENV,
    production,
    host: checked.HOST,
    port: checked.PORT,
    metricsPort: checked.METRICS_PORT,
    dataDir: checked.DATA_DIR,
    databaseUrl: checked.DATABASE_URL ?? `sqlite:${checked.DATA_DIR}/parley.db`,
    databasePool: checked.DATABASE_POOL,
    redisUrl: checked.REDIS_URL,
    jwtSecrets: checked.JWT_SECRETS ?? [generatedJwtSecret(checked.DATA_DIR)],
    encryptionKeys: checked.ENCRYPTION_KEYS ?? [generatedEncryptionKey(checked.DATA_DIR)],
    ...mailSettings(checked),
    oidcProviders: checked.OIDC_PROVIDERS,
    registration: checked.REGISTRATION,
    adminEmails: checked.ADMIN_EMAILS,
    webhookUrl: checked.WEBHOOK_URL,
    webhookSecrets: checked.WEBHOOK_SECRET ?? [],
    filesUrl: checked.FILES_URL ?? `file:${checked.DATA_DIR}/files`,
    storageLimitBytes: checked.STORAGE_LIMIT_MB * 1024 * 1024,
    corsOrigins: [...checked.CORS_ORIGINS, ...originsOf(checked.PUBLIC_URL)],
    trustProxy: checked.TRUST_PROXY,
    modelUrlAllowedHosts: checked.MODEL_URL_ALLOWED_HOSTS ?? [],
    loopbackModelsAllowed: !production && checked.MODEL_URL_ALLOWED_HOSTS === undefined,
    rateLimitScale: checked.RATE_LIMIT_SCALE,
    migrateOnStart: checked.MIGRATE_ON_START,
    demoModel: checked.DEMO_MODEL,
    shutdownDelaySeconds: checked.SHUTDOWN_DELAY_S,
    shutdownGraceSeconds: checked.SHUTDOWN_GRACE_S,
    retentionDays: checked.RETENTION_DAYS,
    otlpEndpoint: checked.OTEL_SDK_DISABLED ? undefined : checked.OTEL_EXPORTER_OTLP_ENDPOINT,
    retryInterrupted: checked.RETRY_INTERRUPTED,
    upstreamFirstByteTimeoutSeconds: checked.UPSTREAM_FIRST_BYTE_TIMEOUT_S,
    upstreamIdleTimeoutSeconds: checked.UPSTREAM_IDLE_TIMEOUT_S,
    upstreamTotalTimeoutSeconds: checked.UPSTREAM_TOTAL_TIMEOUT_S,
    logLevel: checked.LOG_LEVEL,
  };
}

function mailSettings(checked: Environment) {
  const linkBaseUrl = checked.PUBLIC_URL ?? `http://${linkHost(checked.HOST)}:${checked.PORT}`;
  return {
    publicUrl: checked.PUBLIC_URL,
    linkBaseUrl,
    smtpUrl: checked.SMTP_URL,
    mailFrom: checked.MAIL_FROM ?? `Parley <no-reply@${new URL(linkBaseUrl).hostname}>`,
    emailVerification: checked.EMAIL_VERIFICATION,
  };
}

/** The host of the server's own address in a link; a wildcard address is none. */
function linkHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return isIPv6(host) ? `[${host}]` : host;
}

const originsOf = (url: string | undefined) => (url ? [new URL(url).origin] : []);
