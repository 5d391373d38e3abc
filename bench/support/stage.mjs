import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Accounts } from './accounts.mjs';
import { createDatabase, dropDatabase, openDatabase } from './database.mjs';
import { Parley } from './parley.mjs';
import { Part } from './process.mjs';

const SECRET = 'bench-0123456789-abcdefghijklmnopqrstuvwxyz';
const SETTLE_MS = 500;
/** Replies requested at once where the first token is not measured. */
const BURST = 50;
/** Baseline server of each kind of client. */
const BASELINES = {
  pipe: 'parts/pipe.mjs',
  plain: 'parts/plain-socket-io.mjs',
  bare: 'parts/plain-socket-io.mjs',
};
let lastDatabase = 0;

/** Parley and its baselines, between one provider and one client. */
export class Stage {
  #parts = [];
  #databases = [];
  #others = new Map();
  #profiles = 0;

  static async open({ mysqlUrl, users = 1000, env = {}, nodeOptions = [] }) {
    const stage = new Stage();
    stage.mysqlUrl = mysqlUrl;
    stage.folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
    stage.provider = await stage.#keep(Part.start('parts/provider.mjs'));
    stage.client = await stage.#keep(Part.start('parts/client.mjs'));
    const databaseUrl = mysqlUrl ? await stage.#mysqlDatabase() : `sqlite:${join(stage.folder, 'parley.db')}`;
    stage.env = { DATABASE_URL: databaseUrl, JWT_SECRETS: SECRET, ...env };
    stage.parley = await stage.startParley({}, nodeOptions);
    stage.database = await openDatabase(databaseUrl);
    const options = { secret: SECRET, count: users, providerUrl: stage.provider.url };
    stage.accounts = await Accounts.create(stage.parley, stage.database, options);
    return stage;
  }

  /** Starts another Parley on the same database. */
  startParley(env = {}, nodeOptions = []) {
    return this.#keep(Parley.start(this.folder, { env: { ...this.env, ...env }, nodeOptions }));
  }

  /** Returns a baseline's process, started on first use. */
  async baseline(file) {
    if (!this.#others.has(file)) {
      const env = { ...this.env, PROVIDER_URL: this.provider.url };
      const part = Part.start(file, env, ['--import', new URL('probe.mjs', import.meta.url).href]);
      this.#others.set(file, await this.#keep(part));
    }
    return this.#others.get(file);
  }

  /**
   * Streams replies and measures while all of them run.
   * @param kind of client, see parts/client.mjs
   * @param under processes whose CPU counts; default: Parley or the kind's baseline
   */
  async stream(kind, { seconds, under, ...load }) {
    const processes = under ?? [await this.#processOf(kind)];
    let measured;
    await this.whileStreaming(kind, load, async () => {
      await delay(SETTLE_MS);
      measured = await this.profiled(kind, processes, () => this.#measure(processes, seconds));
    });
    return measured;
  }

  /**
   * @param load.connected called when all clients have connected, before the first send
   * @param load.abandon disconnects in the middle, for backlogs that would take minutes to read
   * @param during called while all replies run
   * @returns number of tokens received meanwhile
   */
  async whileStreaming(kind, { streams, model, url, peers, connected, abandon }, during) {
    const target = url ?? (await this.#processOf(kind)).url;
    await this.#connect(kind, { streams, model, url: target, peers });
    await connected?.();
    for (let from = 0; from < streams; from += BURST)
      await this.#start(from, Math.min(from + BURST, streams));
    await this.provider.ask('go');
    await this.client.ask('begun');
    const before = await this.client.ask('tokens');
    await during();
    const tokens = (await this.client.ask('tokens')) - before;
    if (abandon) await this.#abandon(kind);
    else await this.#finish();
    return tokens;
  }

  /** Connects idle sockets. */
  async whileConnected(kind, { url }, sockets, during) {
    const peers = await this.#peers(kind, sockets);
    await this.client.ask('connect', { kind, url, peers });
    await delay(SETTLE_MS);
    await during();
    await this.client.ask('close');
    await delay(SETTLE_MS);
  }

  /** Starts replies at once. @returns milliseconds to the first text of each */
  async firstTexts(kind, { streams, model }) {
    const server = await this.#processOf(kind);
    await this.#connect(kind, { streams, model, url: server.url });
    const firstTextMs = await this.profiled(kind, [server], async () => {
      await this.client.ask('start', { from: 0, to: streams });
      return this.client.ask('begun');
    });
    await this.#finish();
    return firstTextMs;
  }

  async #processOf(kind) {
    return BASELINES[kind] ? this.baseline(BASELINES[kind]) : this.parley;
  }

  async #connect(kind, { streams, model, url, peers }) {
    await this.accounts.setModel(model);
    await this.client.ask('connect', {
      kind,
      url,
      peers: peers ?? (await this.#peers(kind, streams, model)),
    });
  }

  async #peers(kind, count, model) {
    return BASELINES[kind] ? Array(count).fill({ model }) : this.accounts.peers(count);
  }

  /** Waits until the provider has received the requests. */
  async #start(from, to) {
    await this.client.ask('start', { from, to });
    while ((await this.provider.ask('streams')) < to) {
      await this.client.ask('throwFailure');
      await delay(5);
    }
  }

  async #measure(processes, seconds) {
    const cpuMs = () => processes.reduce((sum, process) => sum + process.cpuMs(), 0);
    await this.client.ask('measureAges');
    const before = { tokens: await this.client.ask('tokens'), cpuMs: cpuMs(), at: performance.now() };
    await delay(seconds * 1000);
    const tokens = (await this.client.ask('tokens')) - before.tokens;
    const usedMs = cpuMs() - before.cpuMs;
    const elapsedMs = performance.now() - before.at;
    return {
      microsecondsAToken: (usedMs * 1000) / tokens,
      tokensASecond: (tokens * 1000) / elapsedMs,
      busy: usedMs / elapsedMs,
      ageMs: await this.client.ask('ages'),
    };
  }

  /** Writes a CPU profile to the folder in BENCH_PROFILE, if set. */
  async profiled(kind, under, run) {
    const folder = process.env.BENCH_PROFILE;
    if (!folder) return run();
    await under[0].ask('startProfile');
    const result = await run();
    await under[0].ask('endProfile', join(folder, `${kind}-${++this.#profiles}.cpuprofile`));
    return result;
  }

  async #finish() {
    await this.provider.ask('finish');
    await this.client.ask('ended');
    await this.client.ask('close');
    await delay(SETTLE_MS);
  }

  /** Stops a baseline's process. */
  async #abandon(kind) {
    const file = BASELINES[kind];
    await this.client.ask('throwFailure');
    await this.provider.ask('finish');
    await this.client.ask('close');
    await this.#others.get(file).stop();
    this.#others.delete(file);
  }

  async #mysqlDatabase() {
    const name = `parley_bench_${process.pid}_${++lastDatabase}`;
    this.#databases.push(name);
    return createDatabase(this.mysqlUrl, name);
  }

  async #keep(starting) {
    const part = await starting;
    this.#parts.push(part);
    return part;
  }

  async close() {
    await Promise.all(this.#parts.map((part) => part.stop()));
    await this.database?.end();
    for (const name of this.#databases) await dropDatabase(this.mysqlUrl, name);
    await rm(this.folder, { recursive: true, force: true });
  }
}
