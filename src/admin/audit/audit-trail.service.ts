import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository, type SelectQueryBuilder } from 'typeorm';
import { AuditEvent } from '../../audit/audit-event.entity.js';
import { AuditLog } from '../../audit/audit-log.js';
import { AuditEventDto, AuditEventsDto, type AuditQuery } from './audit.dto.js';

/** Reads the audit trail. */
@Injectable()
export class AuditTrailService {
  constructor(
    @InjectRepository(AuditEvent) private readonly events: Repository<AuditEvent>,
    private readonly audit: AuditLog,
  ) {}

  /** Newest first, with the events that this node has recorded before the call. */
  async list(query: AuditQuery): Promise<AuditEventsDto> {
    await this.audit.flush();
    const pages = await Promise.all(this.queries(query).map((each) => each.getMany()));
    const ids = [...new Set(pages.flat().map(({ id }) => id))].sort((a, b) => b - a);
    const shown = ids.slice(0, query.limit);
    const events = await this.events.find({ where: { id: In(shown) }, order: { id: 'DESC' } });
    return { events: events.map(AuditEventDto.from), has_more: ids.length > shown.length };
  }

  /** One query, or one for the acting user and one for the concerned user, as each has an index of its own. */
  queries({ user_id, action, before_id, limit }: AuditQuery): SelectQueryBuilder<AuditEvent>[] {
    const columns = user_id === undefined ? [null] : (['userId', 'targetUserId'] as const);
    return columns.map((column) => {
      const query = this.events
        .createQueryBuilder('event')
        .select('event.id')
        .orderBy('event.id', 'DESC')
        .limit(limit + 1);
      if (column) query.andWhere(`event.${column} = :user_id`, { user_id });
      if (action !== undefined) query.andWhere('event.action = :action', { action });
      if (before_id !== undefined) query.andWhere('event.id < :before_id', { before_id });
      return query;
    });
  }
}
