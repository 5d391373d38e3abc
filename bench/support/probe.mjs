/** Preloaded into every process under test: collects garbage, and times its event loop, when the bench asks for it. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { answer } from './part.mjs';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
let delay;

answer({
  collect() {
    gc();
    gc();
  },
  startLoopDelay() {
    delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
  },
  endLoopDelay() {
    delay.disable();
    return { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
  },
});
process.channel?.unref();
