import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { ConfigsModule } from '../configs/configs.module.js';
import { Conversation } from '../conversations/conversation.entity.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { FilesModule } from '../files/files.module.js';
import { AccountExport } from './account-export.service.js';
import { ExportController } from './export.controller.js';
import { ExportService } from './export.service.js';

/** Not part of AuthModule: it imports the modules above it. */
@Module({
  imports: [
    TypeOrmModule.forFeature([Conversation]),
    AuthModule,
    ConfigsModule,
    ConversationsModule,
    FilesModule,
  ],
  controllers: [ExportController],
  providers: [ExportService, AccountExport],
})
export class ExportModule {}
