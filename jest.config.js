/** Published as ES modules, wholly or, like zod, in part. */
const ES_MODULES = [
  '@nestjs',
  '@noble',
  '@scure',
  '@ai-sdk',
  '@workflow',
  'ai',
  'file-type',
  'get-port',
  'strtok3',
  'token-types',
  'uint8array-extras',
  '@borewit',
  '@tokenizer',
  'happy-dom',
  'jose',
  'zod',
].join('|');

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts', '**/*.e2e-spec.ts'],
  testTimeout: 30_000,
  globalSetup: '<rootDir>/test/support/infrastructure/mysql-schema.mjs',
  maxWorkers: 4,
  workerIdleMemoryLimit: '1GB',
  transform: {
    [`/node_modules/(${ES_MODULES})/.+\\.js$`]: '@swc/jest',
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${ES_MODULES})/)`],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // Their exports have no condition that CommonJS matches.
    '^file-type$': '<rootDir>/node_modules/file-type/index.js',
    '^strtok3$': '<rootDir>/node_modules/strtok3/lib/index.js',
  },
};
