import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { EncryptionModule } from '../encryption/encryption.module.js';
import { MailQueue } from './mail-queue.service.js';
import { MailTransport } from './mail-transport.js';
import { QueuedMail } from './queued-mail.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([QueuedMail]), EncryptionModule],
  providers: [MailQueue, MailTransport],
  exports: [MailQueue],
})
export class MailModule {}
