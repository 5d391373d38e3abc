import { Entity, PrimaryColumn } from 'typeorm';

/** Identifies the nodes that share a database: one row, created with its table. */
@Entity('deployment')
export class Deployment {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;
}
