/** `npm run backup -- <file>` and `npm run restore -- <file>`, for the embedded database. */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { BackupError, backUp, restore } from '../database/sqlite/backup.js';
import { loadSettings, readDotEnv } from '../env/settings.js';
import { SCHEMA } from '../schema.js';

const USAGE = 'Usage: npm run backup -- <file>, or npm run restore -- <file>';
const SQLITE = 'sqlite:';

process.exitCode = run();

function run(): number {
  const [command, file, ...rest] = positionals();
  if (!['backup', 'restore'].includes(command ?? '') || !file || rest.length > 0) return fail(USAGE, 2);
  readDotEnv();
  const { databaseUrl } = loadSettings(process.env);
  if (!databaseUrl.startsWith(SQLITE))
    return fail('Back up MySQL with its own tools: see docs/operations.md.', 2);
  try {
    const database = databaseUrl.slice(SQLITE.length);
    if (command === 'backup') backUp(database, file);
    else
      report(
        restore(
          file,
          database,
          SCHEMA.migrations.map((Migration) => new Migration().name),
        ),
      );
    console.log(command === 'backup' ? `Backed up to ${file}` : `Restored ${basename(file)}`);
    return 0;
  } catch (error) {
    if (error instanceof BackupError) return fail(error.message, 1);
    throw error;
  }
}

function positionals(): string[] {
  try {
    return parseArgs({ allowPositionals: true }).positionals;
  } catch {
    return [];
  }
}

function report(replaced: string | null): void {
  if (replaced) console.log(`The database that was there is ${replaced}`);
}

function fail(message: string, code: number): number {
  console.error(message);
  return code;
}
