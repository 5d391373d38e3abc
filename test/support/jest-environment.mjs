/**
 * Where test files run: in this process as it is, instead of a realm and a copy of every package for each file. The packages
 * that the application uses are loaded once in a worker (shared-package.mjs), which takes a third of the suite's time off, and
 * are of the same realm as the tests, so that `instanceof Date` holds on both sides. Our own modules are each file's own.
 */
import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import vm from 'node:vm';

/** Jest has each file compiled for the realm that `getVmContext` names; there is but this one. */
const compileFunction = vm.compileFunction;
vm.compileFunction = (code, parameters, options) =>
  compileFunction(code, parameters, { ...options, parsingContext: undefined });

/**
 * Jest runs each test in an AsyncLocalStorage, so as to know whose an error is that nobody caught. On Node 20 that has every
 * promise of the application call hooks, a tenth of the suite's time. Tests of a file run one after the other, so a field
 * tells as much, and nothing else in the process uses one.
 */
Object.assign(AsyncLocalStorage.prototype, {
  async run(store, callback) {
    const outer = this.store;
    this.store = store;
    try {
      return await callback();
    } finally {
      this.store = outer;
    }
  },
  getStore() {
    return this.store;
  },
});

globalThis[Symbol.for('parley.require')] = createRequire(import.meta.url);

export default class WorkerEnvironment {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  fakeTimers = null;
  before = { keys: new Set(Reflect.ownKeys(globalThis)), console, exit: process.exit, env: process.env };

  constructor({ projectConfig }) {
    process.env = { ...process.env };
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  getVmContext() {
    return globalThis;
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  async setup() {}

  /** Leaves the process as it was: what Jest keeps in globals, and packages with registries of classes there. */
  async teardown() {
    this.fakeTimersModern.dispose();
    this.moduleMocker.restoreAllMocks();
    process.exit = this.before.exit;
    process.env = this.before.env;
    globalThis.console = this.before.console;
    for (const key of Reflect.ownKeys(globalThis))
      if (!this.before.keys.has(key)) Reflect.deleteProperty(globalThis, key);
  }
}
