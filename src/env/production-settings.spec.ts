/** Settings that production requires or refuses, and the secrets that are generated elsewhere. */
import { describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jwtSecret, webhookSecret } from '../../test/support/secrets.js';
import { dataDir, errorsOf, load, loadInProduction, useDataDir } from '../../test/support/settings.js';

useDataDir();

describe('WEBHOOK_URL', () => {
  it('requires a secret', () => {
    expect(errorsOf({ WEBHOOK_URL: 'https://app.example.com' })).toEqual([
      'WEBHOOK_SECRET is required with WEBHOOK_URL: it signs what is sent there',
    ]);
    expect(load({ WEBHOOK_SECRET: webhookSecret() }).webhookUrl).toBeUndefined();
  });
});

describe('production', () => {
  it('requires secrets and generates none', () => {
    expect(errorsOf({ NODE_ENV: 'production' })).toEqual([
      'JWT_SECRETS is required in production',
      'ENCRYPTION_KEYS is required in production',
    ]);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('ignores secrets generated in DATA_DIR', () => {
    load();

    expect(errorsOf({ NODE_ENV: 'production' })).toHaveLength(2);
  });

  it('refuses the demo model', () => {
    expect(errorsOf({ DEMO_MODEL: 'true' }, loadInProduction)).toEqual([
      expect.stringMatching(/^DEMO_MODEL /),
    ]);
  });

  it('refuses a public URL that is not https', () => {
    expect(errorsOf({ PUBLIC_URL: 'http://chat.example.com' }, loadInProduction)).toEqual([
      'PUBLIC_URL must be https in production, where plain HTTP is refused',
    ]);
    expect(errorsOf({ PUBLIC_URL: 'https://chat.example.com' }, loadInProduction)).toEqual([]);
  });

  it.each([
    ['http://app:8080/hooks', true],
    ['http://10.1.2.3/hooks', true],
    ['http://[fd00::1]/hooks', true],
    ['http://app.parley.svc/hooks', true],
    ['https://app.example.com/hooks', true],
    ['http://app.example.com/hooks', false],
    ['http://8.8.8.8/hooks', false],
    ['http://[::ffff:8.8.8.8]/hooks', false],
  ])('sends webhooks over http inside the network only: %s', (WEBHOOK_URL, isAllowed) => {
    const webhooks = { WEBHOOK_URL, WEBHOOK_SECRET: webhookSecret() };

    expect(errorsOf(webhooks)).toEqual([]);
    expect(errorsOf(webhooks, loadInProduction)).toEqual(
      isAllowed ? [] : [expect.stringMatching(/^WEBHOOK_URL must be https:.+ http for an internal host/)],
    );
  });

  it('requires PUBLIC_URL where mails are sent', () => {
    const smtp = { SMTP_URL: 'smtp://mail.example.com' };

    expect(errorsOf(smtp, loadInProduction)).toEqual([
      'PUBLIC_URL is required in production with SMTP_URL: mails contain links to it',
    ]);
    expect(errorsOf(smtp)).toEqual([]);
    expect(errorsOf({ ...smtp, PUBLIC_URL: 'https://chat.example.com' }, loadInProduction)).toEqual([]);
  });

  it('reports what settings require of each other with all other errors', () => {
    const wrong = {
      PORT: 'web',
      SMTP_URL: 'smtp://mail.example.com',
      WEBHOOK_URL: 'https://app.example.com',
      ENCRYPTION_KEYS: '',
    };

    expect(errorsOf(wrong, loadInProduction).map((error) => error.split(' ')[0])).toEqual([
      'PORT',
      'ENCRYPTION_KEYS',
      'PUBLIC_URL',
      'WEBHOOK_SECRET',
    ]);
  });

  it('requires a mail server where a login requires a verified address', () => {
    const required = { EMAIL_VERIFICATION: 'required' };

    expect(errorsOf(required, loadInProduction)).toEqual([
      'SMTP_URL is required in production with EMAIL_VERIFICATION=required: nobody could log in',
    ]);
    expect(errorsOf(required)).toEqual([]);
    const mail = { SMTP_URL: 'smtp://mail.example.com', PUBLIC_URL: 'https://chat.example.com' };
    expect(errorsOf({ ...required, ...mail }, loadInProduction)).toEqual([]);
  });

  it('refuses a low-entropy encryption key, which tests may use', () => {
    const zeros = { ENCRYPTION_KEYS: `${'A'.repeat(43)}=` };

    expect(errorsOf(zeros, loadInProduction)).toEqual([expect.stringMatching(/^ENCRYPTION_KEYS item 1 /)]);
    expect(errorsOf(zeros)).toEqual([]);
  });
});

describe('generated secrets', () => {
  const kept = () => ['jwt-secret', 'encryption-key'].map((file) => join(dataDir, file));

  it('are generated once and differ between installations', () => {
    const first = load();
    expect(load()).toEqual(first);

    const other = load({ DATA_DIR: `${dataDir}-2` });
    expect(other.jwtSecrets).not.toEqual(first.jwtSecrets);
    expect(other.encryptionKeys).not.toEqual(first.encryptionKeys);
  });

  it('pass the checks of configured secrets', () => {
    const { jwtSecrets, encryptionKeys } = load();

    expect(
      errorsOf({ JWT_SECRETS: jwtSecrets[0], ENCRYPTION_KEYS: encryptionKeys[0] }, loadInProduction),
    ).toEqual([]);
  });

  it('are readable by their owner only and leave no temporary files', () => {
    load();

    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    for (const file of kept()) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(dataDir).sort()).toEqual(['encryption-key', 'jwt-secret']);
  });

  it('are not generated for settings that are set', () => {
    load({ JWT_SECRETS: jwtSecret() });

    expect(readdirSync(dataDir)).toEqual(['encryption-key']);
  });

  it('are refused without being shown if their file is invalid', () => {
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'jwt-secret'), 'spoilt\n');

    expect(errorsOf({})).toEqual([
      'JWT_SECRETS is unset, and the secret in DATA_DIR/jwt-secret is shorter than 32 bytes',
    ]);
  });

  it('are reported as an error if they cannot be stored', () => {
    writeFileSync(dataDir, 'a file where the directory belongs');

    expect(errorsOf({})).toEqual([
      expect.stringMatching(/^JWT_SECRETS is unset, and DATA_DIR\/jwt-secret cannot/),
    ]);
  });
});
