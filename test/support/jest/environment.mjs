/**
 * Jest's test environment without isolation: the global scope of the worker, where Jest's own makes a VM context for each
 * file (https://jestjs.io/docs/configuration#testenvironment-string).
 */
import { findSourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

const { env, exit, getBuiltinModule } = process;

export default class SharedEnvironment {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  variables = { ...env };

  constructor({ projectConfig }) {
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  /** Jest's own formatter of stacks does not know the source maps of modules that Node loaded. */
  setup() {
    process.setSourceMapsEnabled(true);
    Error.prepareStackTrace = (error, frames) => [error, ...frames.map(inSource)].join('\n    at ');
  }

  /** Undoes what one test file, and Jest for its sake, changed in the scope of the next one. */
  teardown() {
    this.moduleMocker.restoreAllMocks();
    this.fakeTimersModern.dispose();
    Object.assign(process, { env, exit, getBuiltinModule });
    for (const name of Object.keys(env)) if (!(name in this.variables)) delete env[name];
    Object.assign(env, this.variables);
    for (const key of ['EVENT_HANDLERS', 'TEST_TIMEOUT_SYMBOL']) delete globalThis[Symbol.for(key)];
  }

  getVmContext() {
    return null;
  }
}

function inSource(frame) {
  const [url, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
  const source = url?.endsWith('.ts') && findSourceMap(url)?.findOrigin(line, column);
  if (!source?.fileName) return `${frame}`;
  const position = `${fileURLToPath(url)}:${source.lineNumber}:${source.columnNumber}`;
  return `${frame}`.replace(`${url}:${line}:${column}`, position);
}
