import { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds the spelling in which a client sent its `client_message_id`. */
export class ClientMessageSpelling1764340000000 implements MigrationInterface {
  name = 'ClientMessageSpelling1764340000000';

  /** Repeatable, as MySQL commits each statement. Plain SQL, as TypeORM would copy SQLite's whole table. */
  async up(queryRunner: QueryRunner): Promise<void> {
    if (await queryRunner.hasColumn('messages', 'client_message_spelling')) return;
    await queryRunner.query('ALTER TABLE messages ADD COLUMN client_message_spelling varchar(36)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE messages DROP COLUMN client_message_spelling');
  }
}
