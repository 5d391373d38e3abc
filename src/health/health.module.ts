import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ChatModule } from '../chat/chat.module.js';
import { FilesModule } from '../files/files.module.js';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';
import { RedisPing } from './redis-ping.js';

@Module({
  imports: [ChatModule, FilesModule, TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [HealthService, RedisPing],
})
export class HealthModule {}
