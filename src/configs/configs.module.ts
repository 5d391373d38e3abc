import { Module } from '@nestjs/common';
import { AiModule } from '../ai/ai.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { EncryptionModule } from '../encryption/encryption.module.js';
import { ConfigColumns } from './config-columns.service.js';
import { ConfigLists } from './config-lists.service.js';
import { SharedConfigPublisher } from './shared-config-publisher.service.js';
import { ConfigChangesService } from './config-changes.service.js';
import { ConfigsController } from './configs.controller.js';
import { ConfigsService } from './configs.service.js';

/** Requires a global module that provides DemoProvider. */
@Module({
  imports: [AiModule, AuthModule, EncryptionModule],
  controllers: [ConfigsController],
  providers: [
    ...[ConfigsService, ConfigChangesService],
    ...[ConfigColumns, ConfigLists, SharedConfigPublisher],
  ],
  exports: [ConfigsService, ConfigColumns, SharedConfigPublisher],
})
export class ConfigsModule {}
