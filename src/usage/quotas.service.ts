import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, IsNull, Not } from 'typeorm';
import { ModelConfig } from '../configs/model-config.entity.js';
import { DailyUsage } from './daily-usage.entity.js';
import { dateOf, midnightAfter } from './usage-dates.js';
import type { QuotaDto } from './usage.dto.js';

/** Reads what a user has used of the quotas of shared configurations. */
@Injectable()
export class Quotas {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async list(userId: number, now = new Date()): Promise<QuotaDto[]> {
    const { manager } = this.database;
    const limited = await manager.find(ModelConfig, {
      where: { userId: IsNull(), enabled: true, dailyTokensPerUser: Not(IsNull()) },
      order: { id: 'ASC' },
    });
    if (limited.length === 0) return [];
    const rows = await manager.findBy(DailyUsage, { date: dateOf(now), userId });
    return limited.map(({ id, dailyTokensPerUser }) => ({
      config_id: id,
      daily_tokens: dailyTokensPerUser!,
      used: tokensOf(rows.filter(({ configId }) => configId === id)),
      resets_at: midnightAfter(now).toISOString(),
    }));
  }
}

function tokensOf(rows: DailyUsage[]): number {
  return rows.reduce((sum, { promptTokens, completionTokens }) => sum + promptTokens + completionTokens, 0);
}
