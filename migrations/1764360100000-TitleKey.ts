import { MigrationInterface, QueryRunner } from 'typeorm';
import { foldText } from './1764360000000-EmailKey.js';

const ROWS_A_WRITE = 500;

interface ConversationRow {
  id: number | string;
  title: string;
}

/** Adds the folded titles that searches read. */
export class TitleKey1764360100000 implements MigrationInterface {
  name = 'TitleKey1764360100000';

  /** Repeatable, as MySQL commits each change of a table. Plain SQL, as TypeORM would copy SQLite's whole table. */
  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    if (!(await queryRunner.hasColumn('conversations', 'title_key')))
      await queryRunner.query(
        `ALTER TABLE conversations ADD COLUMN title_key ${mysql ? 'longtext' : 'text'}`,
      );
    const bytes = mysql ? 'LENGTH(title)' : 'LENGTH(CAST(title AS BLOB))';
    const characters = mysql ? 'CHAR_LENGTH(title)' : 'LENGTH(title)';
    await queryRunner.query(
      `UPDATE conversations SET title_key = LOWER(title) WHERE title_key IS NULL AND ${bytes} = ${characters}`,
    );
    await this.foldRest(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE conversations DROP COLUMN title_key');
  }

  /** Titles that are not all ASCII, by the primary key. */
  private async foldRest(queryRunner: QueryRunner): Promise<void> {
    const sql = `SELECT id, title FROM conversations
      WHERE id > ? AND title_key IS NULL ORDER BY id LIMIT ${ROWS_A_WRITE}`;
    for (let after = 0; ;) {
      const rows: ConversationRow[] = await queryRunner.query(sql, [after]);
      if (rows.length === 0) return;
      await write(queryRunner, rows);
      after = Number(rows.at(-1)!.id);
    }
  }
}

async function write(queryRunner: QueryRunner, rows: ConversationRow[]): Promise<void> {
  const cases = rows.map(() => 'WHEN ? THEN ?').join(' ');
  const places = rows.map(() => '?').join(', ');
  await queryRunner.query(
    `UPDATE conversations SET title_key = CASE id ${cases} END WHERE id IN (${places})`,
    [...rows.flatMap(({ id, title }) => [id, foldText(title)]), ...rows.map(({ id }) => id)],
  );
}
