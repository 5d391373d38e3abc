import Runtime from 'jest-runtime';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';

/**
 * Jest loads every module anew for each test file, in a realm of the file's own. For ours that is as it should be; but an
 * app takes 1,500 modules of packages, and loading them takes longer than most files' tests. Here each worker loads them
 * once, by Node's own `require`, and ours anew for each file, in the packages' realm.
 */
export default class SharedPackagesRuntime extends Runtime {
  constructor(...options) {
    super(...options);
    const { executor } = this;
    executor.compile = (source, filename) =>
      compileFunction(source, executor.injectedModuleParameters, { filename });
  }

  requireModule(from, name, options, isRequireActual) {
    if (!options?.isInternalModule && isPackage(name)) return createRequire(from)(name);
    return super.requireModule(from, name, options, isRequireActual);
  }
}

function isPackage(name) {
  return name !== undefined && /^[^./]/.test(name) && !name.startsWith('node:');
}
