import { expect, it } from '@jest/globals';
import { publishMeasurement } from '../common/logging/measurements.js';
import { FlowMetrics } from './flow-metrics.js';
import { Metrics } from './metrics.js';

it('stops counting at shutdown', async () => {
  const metrics = new Metrics();
  const flow = new FlowMetrics(metrics);
  const attempts = async () =>
    /^parley_upstream_attempts_total (\d+)$/m.exec(await metrics.registry.metrics())?.[1];

  flow.onModuleInit();
  publishMeasurement('upstream.requested', {});
  expect(await attempts()).toBe('1');

  flow.onApplicationShutdown();
  publishMeasurement('upstream.requested', {});
  expect(await attempts()).toBe('1');
});
