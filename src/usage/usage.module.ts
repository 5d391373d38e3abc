import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { UsageController } from './usage.controller.js';
import { Quotas } from './quotas.service.js';
import { UsageReports } from './usage-reports.service.js';

@Module({
  imports: [AuthModule],
  controllers: [UsageController],
  providers: [UsageReports, Quotas],
  exports: [UsageReports],
})
export class UsageModule {}
