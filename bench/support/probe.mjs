/** Preloaded into every process under test: collects garbage, times the event loop and writes profiles on request. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { answer } from './part.mjs';

const inspector = new Session();
let delay;

answer({
  /** Also shrinks the young generation, which would distort growth. */
  async collect() {
    inspector.connect();
    await inspector.post('HeapProfiler.collectGarbage');
    inspector.disconnect();
  },
  startLoopDelay() {
    delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
  },
  endLoopDelay() {
    delay.disable();
    return { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
  },
  async startProfile() {
    inspector.connect();
    await inspector.post('Profiler.enable');
    await inspector.post('Profiler.start');
  },
  async endProfile(path) {
    const { profile } = await inspector.post('Profiler.stop');
    inspector.disconnect();
    writeFileSync(path, JSON.stringify(profile));
  },
});
process.channel?.unref();
