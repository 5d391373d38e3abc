import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ConfigsModule } from '../configs/configs.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { ExportController } from './export.controller.js';
import { ExportService } from './export.service.js';

/** Apart from the accounts, as it reads what is built upon them. */
@Module({
  imports: [AuthModule, ConfigsModule, ConversationsModule],
  controllers: [ExportController],
  providers: [ExportService],
})
export class ExportModule {}
