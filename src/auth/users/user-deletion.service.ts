import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { transaction } from '../../database/retry.js';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { UserControlService } from './user-control.service.js';
import { UserRecords } from './user-records.service.js';

@Injectable()
export class UserDeletionService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly control: UserControlService,
    private readonly events: EventHub,
    private readonly records: UserRecords,
  ) {}

  /**
   * Disables the user first, in a short transaction, because deleting all that the user owns may take a while.
   * @throws {ConflictError} `last_admin`
   */
  async delete(userId: number): Promise<void> {
    await this.control.disable(userId);
    this.events.publish(userId, new ParleyEvent('account.deleted', {}));
    await transaction(this.dataSource, (manager) => this.records.delete(manager, userId));
  }
}
