import { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds the address that a token was mailed to. Tokens from before verify none. */
export class EmailVerification1764420000000 implements MigrationInterface {
  name = 'EmailVerification1764420000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    if (await queryRunner.hasColumn('mail_tokens', 'email')) return;
    // TypeORM's addColumn copies the whole table on SQLite.
    await queryRunner.query('ALTER TABLE mail_tokens ADD COLUMN email varchar(255)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE mail_tokens DROP COLUMN email');
  }
}
