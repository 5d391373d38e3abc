import { MiddlewareConsumer, Module, NestModule } from '@nestjs/common';
import { ChatModule } from '../chat/chat.module.js';
import { FileMetrics } from './file-metrics.js';
import { FlowMetrics } from './flow-metrics.js';
import { HttpMetricsMiddleware } from './http-metrics.middleware.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsServer } from './metrics-server.js';
import { Metrics } from './metrics.js';
import { WebhooksModule } from '../webhooks/webhooks.module.js';
import { StateMetrics } from './state-metrics.js';
import { WebhookMetrics } from './webhook-metrics.js';

@Module({
  imports: [ChatModule, WebhooksModule],
  controllers: [MetricsController],
  providers: [Metrics, MetricsServer, FileMetrics, FlowMetrics, StateMetrics, WebhookMetrics],
  exports: [Metrics],
})
export class MetricsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(HttpMetricsMiddleware).forRoutes('{*path}');
  }
}
