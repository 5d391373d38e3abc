import { DataSource, MoreThan, Repository } from 'typeorm';
import { EncryptionService } from '../encryption/encryption.service.js';
import { ModelConfig } from './model-config.entity.js';

const PAGE_SIZE = 500;

export interface RotationProgress {
  /** Rows read so far. */
  scanned: number;
  rotated: number;
  /** Rows that no key of ENCRYPTION_KEYS decrypts. They stay unchanged. */
  unreadable: number;
}

/**
 * Re-encrypts every stored key under the first of ENCRYPTION_KEYS. Safe while the server runs, because a row is written
 * only if it is unchanged. An interrupted run can be repeated: rows already rotated are skipped.
 */
export async function rotateKeys(
  dataSource: DataSource,
  encryption: EncryptionService,
  report: (progress: RotationProgress) => void,
): Promise<RotationProgress> {
  const configs = dataSource.getRepository(ModelConfig);
  const progress = { scanned: 0, rotated: 0, unreadable: 0 };
  for (let after = 0; ;) {
    const page = await readPage(configs, after);
    for (const config of page) await rotate(configs, encryption, config, progress);
    report(progress);
    if (page.length < PAGE_SIZE) return progress;
    after = page.at(-1)!.id;
  }
}

function readPage(configs: Repository<ModelConfig>, after: number): Promise<ModelConfig[]> {
  return configs.find({
    select: { id: true, encryptedApiKey: true },
    where: { id: MoreThan(after) },
    order: { id: 'ASC' },
    take: PAGE_SIZE,
  });
}

async function rotate(
  configs: Repository<ModelConfig>,
  encryption: EncryptionService,
  { id, encryptedApiKey }: ModelConfig,
  progress: RotationProgress,
): Promise<void> {
  progress.scanned++;
  if (!encryption.needsRotation(encryptedApiKey)) return;
  if (!encryption.isReadable(encryptedApiKey)) {
    progress.unreadable++;
    return;
  }
  const rotated = encryption.rotate(encryptedApiKey);
  // A key changed meanwhile is already encrypted under the first key.
  const { affected } = await configs.update({ id, encryptedApiKey }, { encryptedApiKey: rotated });
  progress.rotated += affected ?? 0;
}
