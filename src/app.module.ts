import { Module } from '@nestjs/common';
import { AdminModule } from './admin/admin.module.js';
import { AiModule } from './ai/ai.module.js';
import { AuthModule } from './auth/auth.module.js';
import { ChatModule } from './chat/chat.module.js';
import { ConfigsModule } from './configs/configs.module.js';
import { ConversationsModule } from './conversations/conversations.module.js';
import { DrainingModule } from './common/lifecycle/draining.js';
import { EdgeWarningsModule } from './common/http/edge-warnings.js';
import { RouteMethods } from './common/http/route-methods.js';
import { DatabaseModule } from './database/database.module.js';
import { DemoProviderModule } from './demo/demo-provider.module.js';
import { EncryptionModule } from './encryption/encryption.module.js';
import { EnvModule } from './env/env.module.js';
import { EventsModule } from './events/events.module.js';
import { ExportModule } from './export/export.module.js';
import { FilesModule } from './files/files.module.js';
import { HealthModule } from './health/health.module.js';
import { MailPagesModule } from './mail-pages/mail-pages.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PlaygroundModule } from './playground/playground.module.js';
import { SCHEMA } from './schema.js';
import { TelemetryModule } from './telemetry/telemetry.module.js';
import { ThrottlingModule } from './throttling/throttling.module.js';
import { UsageModule } from './usage/usage.module.js';

@Module({
  imports: [
    EnvModule,
    EventsModule,
    DrainingModule,
    EdgeWarningsModule,
    DatabaseModule.forRoot(SCHEMA),
    // Global guards run in the order of their modules: authentication comes before throttling.
    AuthModule,
    ThrottlingModule,
    // Routes match in the order of their modules: /conversations/search comes before /conversations/:id of ChatModule,
    // which MetricsModule imports.
    ConversationsModule,
    MetricsModule,
    EncryptionModule,
    AiModule,
    DemoProviderModule,
    ConfigsModule,
    UsageModule,
    FilesModule,
    ChatModule,
    AdminModule,
    ExportModule,
    HealthModule,
    MailPagesModule,
    PlaygroundModule,
    TelemetryModule,
  ],
  providers: [RouteMethods],
})
export class AppModule {}
