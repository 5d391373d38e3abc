import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditEvent } from '../audit/audit-event.entity.js';
import { AuthModule } from '../auth/auth.module.js';
import { MailModule } from '../mail/mail.module.js';
import { User } from '../auth/users/user.entity.js';
import { WebhookDelivery } from '../webhooks/webhook-delivery.entity.js';
import { WebhooksModule } from '../webhooks/webhooks.module.js';
import { ConfigsModule } from '../configs/configs.module.js';
import { UsageModule } from '../usage/usage.module.js';
import { AuditController } from './audit/audit.controller.js';
import { AuditTrailService } from './audit/audit-trail.service.js';
import { InvitationsController } from './invitations/invitations.controller.js';
import { InvitationsService } from './invitations/invitations.service.js';
import { EncryptionModule } from '../encryption/encryption.module.js';
import { SharedConfigsService } from './configs/shared-configs.service.js';
import { SharedConfigsController } from './configs/shared-configs.controller.js';
import { AdminUsageController } from './usage/admin-usage.controller.js';
import { AdminUsersController } from './users/admin-users.controller.js';
import { AdminUsersService } from './users/admin-users.service.js';
import { UserStatisticsService } from './users/user-statistics.service.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';
import { WebhooksService } from './webhooks/webhooks.service.js';

/** The calls of administrators, one folder a subject. */
@Module({
  imports: [
    TypeOrmModule.forFeature([User, AuditEvent, WebhookDelivery]),
    AuthModule,
    MailModule,
    WebhooksModule,
    ConfigsModule,
    EncryptionModule,
    UsageModule,
  ],
  controllers: [
    AdminUsersController,
    AuditController,
    InvitationsController,
    WebhooksController,
    SharedConfigsController,
    AdminUsageController,
  ],
  providers: [
    AdminUsersService,
    AuditTrailService,
    InvitationsService,
    UserStatisticsService,
    WebhooksService,
    SharedConfigsService,
  ],
})
export class AdminModule {}
