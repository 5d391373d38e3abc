import { Module } from '@nestjs/common';
import { MetricsModule } from '../metrics/metrics.module.js';
import { Telemetry } from './telemetry.service.js';

@Module({ imports: [MetricsModule], providers: [Telemetry] })
export class TelemetryModule {}
