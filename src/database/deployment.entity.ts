import { Entity, PrimaryColumn } from 'typeorm';

/** What all nodes on one database have in common, and no others: a single row, made with its table. */
@Entity('deployment')
export class Deployment {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;
}
