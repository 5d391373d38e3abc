import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Server process. It is dead when its heartbeat stops; its replies are then interrupted. */
@Entity('nodes')
export class Node {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  /** Heartbeat counter. Unlike a time, it requires no synchronized clocks. */
  @Column({ type: 'int' })
  beat!: number;
}
