/**
 * Jest's default test runner, except that Node itself loads the test files. Jest would compile and run every module anew
 * for each file; here, all files of a worker share the modules, which run as the ES modules that they are in production.
 */
import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { setGlobals } from './globals.mjs';

register('./module-hooks.mjs', import.meta.url);
const require = createRequire(import.meta.url);
const { default: circus } = require('jest-circus/runner');

export default function runTests(globalConfig, config, environment, runtime, testPath, sendMessageToJest) {
  const nativeRuntime = Object.create(runtime, {
    unstable_shouldLoadAsEsm: { value: () => true },
    unstable_importModule: {
      value: (path) => {
        setGlobals(runtime.requireModuleOrMock(path, '@jest/globals'));
        return import(pathToFileURL(path).href);
      },
    },
    // Called for the module with the state of the current file's tests, so each file needs its own.
    requireInternalModule: {
      value: (path) => {
        delete require.cache[path];
        return require(path);
      },
    },
  });
  return circus(globalConfig, config, environment, nativeRuntime, testPath, sendMessageToJest);
}
