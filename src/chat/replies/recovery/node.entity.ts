import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A running process. One whose beat stands still is dead, and its replies are interrupted. */
@Entity('nodes')
export class Node {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  /** Counts up: who watches needs no clock in common with who beats. */
  @Column({ type: 'int' })
  beat!: number;
}
