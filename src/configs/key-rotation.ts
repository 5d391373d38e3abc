import { DataSource, MoreThan, Repository } from 'typeorm';
import { EncryptionService } from '../encryption/encryption.service.js';
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

/** What every encrypted row has, whatever its column is called. */
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
  const keys = new EncryptedRows(dataSource.getRepository(ModelConfig), 'encryptedApiKey');
  return rotateAll(keys, encryption, report);
}

/** Does the same with the mails that wait to be sent. */
export function rotateMails(
  dataSource: DataSource,
  encryption: EncryptionService,
): Promise<RotationProgress> {
  const mails = new EncryptedRows(dataSource.getRepository(QueuedMail), 'encryptedMail');
  return rotateAll(mails, encryption, () => undefined);
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
  constructor(
    private readonly repository: Repository<{ id: number }>,
    private readonly column: string,
  ) {}

  async readPage(after: number): Promise<EncryptedRow[]> {
    const rows = await this.repository.find({
      select: { id: true, [this.column]: true },
      where: { id: MoreThan(after) },
      order: { id: 'ASC' },
      take: PAGE_SIZE,
    });
    return rows.map((row) => ({
      id: row.id,
      token: (row as Record<string, unknown>)[this.column] as string,
    }));
  }

  /** @returns 0 if the row was changed meanwhile; a changed key is already encrypted under the first key */
  async replace({ id, token }: EncryptedRow, rotated: string): Promise<number> {
    const { affected } = await this.repository.update(
      { id, [this.column]: token },
      { [this.column]: rotated },
    );
    return affected ?? 0;
  }
}
