import getPort from 'get-port';
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathOf, Part } from './process.mjs';

const MAIN = process.env.BENCH_PARLEY ?? pathOf('../dist/server/main.js');
const READY_TIMEOUT_MS = 30_000;

/** The built server with all features on. Rate limits are counted, but scaled to the load. */
export class Parley extends Part {
  /**
   * @param options.env overrides the bench's settings
   * @param options.nodeOptions options of Node, such as `--cpu-prof`
   * @param options.main entry file of another build
   */
  static async start(folder, { env = {}, nodeOptions = [], main = MAIN } = {}) {
    const port = await getPort();
    const log = openSync(join(folder, 'parley.log'), 'a');
    const began = performance.now();
    const child = spawn(process.execPath, [...nodeOptions, '--import', pathOf('support/probe.mjs'), main], {
      cwd: folder,
      stdio: ['ignore', log, log, 'ipc'],
      env: {
        PATH: process.env.PATH,
        NODE_ENV: 'development',
        PORT: String(port),
        DATA_DIR: folder,
        RATE_LIMIT_SCALE: '1000000',
        ...env,
      },
    });
    const parley = Object.assign(new Parley(child), { url: `http://127.0.0.1:${port}` });
    await parley.#whenReady();
    return Object.assign(parley, { startMs: performance.now() - began });
  }

  async post(path, body, token) {
    const headers = {
      'Content-Type': 'application/json',
      ...(token && { Authorization: `Bearer ${token}` }),
    };
    const response = await fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async #whenReady() {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      const response = await fetch(`${this.url}/health/ready`).catch(() => null);
      if (response?.ok) return;
      if (performance.now() > deadline) throw new Error('Parley did not become ready; see its log.');
      await delay(10);
    }
  }
}
