import tseslint from 'typescript-eslint';

/** Modules that open connections, with the imports allowed besides types. */
const CLIENTS = {
  http: ['createServer', 'IncomingMessage', 'Server', 'ServerResponse', 'STATUS_CODES'],
  https: [],
  http2: [],
  net: ['isIP', 'isIPv6'],
  tls: [],
  dgram: [],
  dns: [],
  'dns/promises': [],
  undici: [],
  ws: ['Sender', 'ServerOptions', 'WebSocketServer'],
  openai: [],
  // Other processes and threads are not linted.
  child_process: [],
  cluster: [],
  worker_threads: ['parentPort'],
};
/** Globals that open connections. */
const GLOBAL_CLIENTS = ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'];
const FOREIGN_CLIENTS = ['axios', 'got', 'needle', 'node-fetch', 'request', 'superagent', 'socket.io-client'];
const message = 'Use the egress guard (src/ai/egress/egress-guard.ts) for outgoing connections.';

const restrictedImports = [
  ...Object.entries(CLIENTS).flatMap(([name, allowImportNames]) =>
    [name, `node:${name}`].map((each) => ({
      name: each,
      message,
      allowTypeImports: true,
      ...(allowImportNames.length > 0 && { allowImportNames }),
    })),
  ),
  ...FOREIGN_CLIENTS.map((name) => ({ name, message })),
];
/** Other entries of the same packages. */
const restrictedPatterns = [
  {
    group: ['openai/*', '!openai/core', 'openai/core/*', '!openai/core/error', 'undici/*'],
    message,
    allowTypeImports: true,
  },
];
const clientNames = [...Object.keys(CLIENTS), ...FOREIGN_CLIENTS].join('|').replace('/', '\\/');

const oneWayOut = {
  files: ['src/**/*.ts', 'src/**/*.tsx', 'src/**/*.mjs'],
  ignores: [
    'src/ai/egress/{egress-guard,egress-fetch,resolve-host}.ts',
    'src/ai/client/provider-client.ts',
    // Runs in a browser.
    'src/playground/app/client/deployment.ts',
    'src/**/*.spec.ts',
  ],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      { paths: restrictedImports, patterns: restrictedPatterns },
    ],
    'no-restricted-globals': ['error', ...GLOBAL_CLIENTS.map((name) => ({ name, message }))],
    'no-restricted-properties': [
      'error',
      ...['globalThis', 'global'].flatMap((object) =>
        GLOBAL_CLIENTS.map((property) => ({ object, property, message })),
      ),
      { object: 'process', property: 'getBuiltinModule', message },
      { object: 'AbortSignal', property: 'any', message: 'Loses timeouts (nodejs/node#57736).' },
    ],
    'no-restricted-syntax': [
      'error',
      { selector: `ImportExpression[source.value=/^(node:)?(${clientNames})(\\u002f.*)?$/]`, message },
      { selector: 'ImportExpression[source.type!="Literal"]', message },
      { selector: 'CallExpression[callee.name=/^(require|createRequire)$/]', message },
    ],
  },
};

/** The client's core also runs in React Native, Node and Deno. */
const BROWSER_ONLY = [
  'document',
  'localStorage',
  'location',
  'navigator',
  'sessionStorage',
  'window',
  'BroadcastChannel',
  'EventSource',
  'WebSocket',
  'XMLHttpRequest',
];
const portable = {
  files: ['sdk/typescript/src/**/*.ts'],
  rules: {
    '@typescript-eslint/no-explicit-any': 'error',
    'no-restricted-globals': ['error', ...BROWSER_ONLY],
    'no-console': 'error',
    'max-lines': ['error', { max: 250, skipBlankLines: false, skipComments: false }],
  },
};

export default tseslint.config(
  {
    ignores: [
      'dist/',
      '.venv/',
      'node_modules/',
      'data/',
      'coverage/',
      'sdk/typescript/dist/',
      'sdk/typescript/src/rest/',
    ],
  },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'no-eval': 'error',
      'no-new-func': 'error',
      '@typescript-eslint/no-implied-eval': 'error',
      'max-lines-per-function': ['warn', { max: 40, skipBlankLines: true, skipComments: true }],
    },
  },
  oneWayOut,
  portable,
  { files: ['test/**', '**/*.spec.ts'], rules: { 'max-lines-per-function': 'off' } },
  // TypeScript's own form of require, in the only CommonJS module.
  { files: ['**/*.cts'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
);
