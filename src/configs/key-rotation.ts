import { DataSource, type EntityTarget, MoreThan, type ObjectLiteral, type Repository } from 'typeorm';
import { EncryptionService } from '../encryption/encryption.service.js';
import { TotpSecret } from '../auth/totp/totp-secret.entity.js';
import { QueuedMail } from '../mail/queued-mail.entity.js';
import { ModelConfig } from './model-config.entity.js';

const PAGE_SIZE = 500;

export interface RotationProgress {
  /** Rows read so far. */
  scanned: number;
  rotated: number;
  /** Rows that no key of ENCRYPTION_KEYS decrypts. They stay unchanged. */
  unreadable: number;
}

/** Row with an encrypted column, under names that are the same for all tables. */
interface EncryptedRow {
  id: number;
  token: string;
}

/**
 * Re-encrypts every stored API key under the first of ENCRYPTION_KEYS. Safe while the server runs, because a row is
 * written only if it is unchanged. An interrupted run can be repeated: rows already rotated are skipped.
 */
export function rotateKeys(
  dataSource: DataSource,
  encryption: EncryptionService,
  report: (progress: RotationProgress) => void,
): Promise<RotationProgress> {
  const keys = new EncryptedRows(dataSource, ModelConfig, { id: 'id', token: 'encryptedApiKey' });
  return rotateAll(keys, encryption, report);
}

/** Re-encrypts the mails that wait to be sent, as {@link rotateKeys} does. */
export function rotateMails(
  dataSource: DataSource,
  encryption: EncryptionService,
): Promise<RotationProgress> {
  const mails = new EncryptedRows(dataSource, QueuedMail, { id: 'id', token: 'encryptedMail' });
  return rotateAll(mails, encryption, () => undefined);
}

/** Re-encrypts the secrets of authenticator apps, as {@link rotateKeys} does. */
export function rotateTotpSecrets(
  dataSource: DataSource,
  encryption: EncryptionService,
): Promise<RotationProgress> {
  const secrets = new EncryptedRows(dataSource, TotpSecret, { id: 'userId', token: 'encryptedSecret' });
  return rotateAll(secrets, encryption, () => undefined);
}

async function rotateAll(
  rows: EncryptedRows,
  encryption: EncryptionService,
  report: (progress: RotationProgress) => void,
): Promise<RotationProgress> {
  const progress = { scanned: 0, rotated: 0, unreadable: 0 };
  for (let after = 0; ;) {
    const page = await rows.readPage(after);
    for (const row of page) await rotate(rows, encryption, row, progress);
    report(progress);
    if (page.length < PAGE_SIZE) return progress;
    after = page.at(-1)!.id;
  }
}

async function rotate(
  rows: EncryptedRows,
  encryption: EncryptionService,
  row: EncryptedRow,
  progress: RotationProgress,
): Promise<void> {
  progress.scanned++;
  if (!encryption.needsRotation(row.token)) return;
  if (!encryption.isReadable(row.token)) {
    progress.unreadable++;
    return;
  }
  progress.rotated += await rows.replace(row, encryption.rotate(row.token));
}

/** The encrypted column of a table. */
class EncryptedRows {
  private readonly repository: Repository<ObjectLiteral>;

  constructor(
    dataSource: DataSource,
    entity: EntityTarget<ObjectLiteral>,
    private readonly columns: Record<keyof EncryptedRow, string>,
  ) {
    this.repository = dataSource.getRepository(entity);
  }

  async readPage(after: number): Promise<EncryptedRow[]> {
    const { id, token } = this.columns;
    const rows = await this.repository.find({
      select: { [id]: true, [token]: true },
      where: { [id]: MoreThan(after) },
      order: { [id]: 'ASC' },
      take: PAGE_SIZE,
    });
    return rows.map((row) => ({ id: row[id], token: row[token] }));
  }

  /** @returns 0 if the row was changed meanwhile; a changed secret is already encrypted under the first key */
  async replace(row: EncryptedRow, rotated: string): Promise<number> {
    const { id, token } = this.columns;
    const { affected } = await this.repository.update(
      { [id]: row.id, [token]: row.token },
      { [token]: rotated },
    );
    return affected ?? 0;
  }
}
