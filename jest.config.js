export default {
  testEnvironment: './test/support/jest/environment.mjs',
  testRunner: './test/support/jest/runner.mjs',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts', '**/*.e2e-spec.ts'],
  testTimeout: 30_000,
  globalSetup: '<rootDir>/test/support/infrastructure/mysql-schema.mjs',
  maxWorkers: 4,
  workerIdleMemoryLimit: '1GB',
  transform: {},
  // With which Jest finds the tests of a changed file.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};
