import { Module } from '@nestjs/common';
import { AuditLog } from './audit-log.js';
import { AuditWriter } from './audit-writer.js';

@Module({
  providers: [AuditLog, AuditWriter],
  exports: [AuditLog],
})
export class AuditModule {}
