/** Lint rules that forbid network clients outside src/ai/egress/egress-guard.ts and evaluation of text as code. */
import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');

/** Skips type information and the rules that need it: loading the project is slow. */
const WITHOUT_TYPES = [
  '--parser-options=projectService:false',
  ...[
    'no-floating-promises',
    'no-misused-promises',
    'switch-exhaustiveness-check',
    'no-implied-eval',
  ].flatMap((name) => ['--rule', `@typescript-eslint/${name}: off`]),
];

interface Complaint {
  line: number;
  ruleId: string;
  message: string;
}

/** Runs ESLint in a child process, because Jest cannot load a configuration in an ES module. */
async function lintErrorsIn(code: string, isMeant: (complaint: Complaint) => boolean): Promise<string[]> {
  const eslint = join(ROOT, 'node_modules/eslint/bin/eslint.js');
  const file = ['--stdin', '--stdin-filename', join(ROOT, 'src/main.ts')];
  const args = [eslint, ...file, ...WITHOUT_TYPES, '--format', 'json'];
  const child = promisify(execFile)(process.execPath, args, { cwd: ROOT });
  child.child.stdin!.end(code);
  const { stdout } = await child.catch((error: { stdout: string }) => error);
  const [{ messages }] = JSON.parse(stdout) as [{ messages: Complaint[] }];
  return messages.filter(isMeant).map(({ line }) => lines(code)[line - 1]!);
}

const lines = (code: string) => code.split('\n');

const FORBIDDEN = [
  "import { request } from 'node:http';",
  "import http from 'node:http';",
  "import * as plain from 'http';",
  "import https from 'node:https';",
  "import { connect } from 'node:net';",
  "import tls from 'node:tls';",
  "import { connect as open } from 'node:http2';",
  "import { createSocket } from 'node:dgram';",
  "import { lookup } from 'node:dns/promises';",
  "import { fetch as get } from 'undici';",
  "import { WebSocket as Client } from 'ws';",
  "import { OpenAI } from 'openai';",
  "import { OpenAI as Client } from 'openai/client';",
  "import { Stream } from 'openai/core/streaming';",
  "import axios from 'axios';",
  "void fetch('http://x');",
  "void globalThis.fetch('http://x');",
  "void globalThis['fetch']('http://x');",
  "void global.fetch('http://x');",
  'const { fetch: get } = globalThis;',
  "void new globalThis.WebSocket('ws://x');",
  "void new WebSocket('ws://x');",
  "void new EventSource('http://x');",
  "void import('node:https');",
  "void import('undici');",
  "void import('openai/client');",
  "void import('no' + 'de:net');",
  "void process.getBuiltinModule('net');",
  "export { request as ask } from 'node:http';",
  "import got from 'got';",
  "import fetchOfOld from 'node-fetch';",
  "import { execFile } from 'node:child_process';",
  "import { Worker } from 'node:worker_threads';",
  "void createRequire('/')('node:net');",
  "void require('undici');",
];
const ALLOWED = [
  "import { createServer, STATUS_CODES } from 'node:http';",
  "import type { ClientRequest } from 'node:http';",
  "import { isIP } from 'node:net';",
  "import { WebSocketServer } from 'ws';",
  "import type { Dispatcher } from 'undici';",
  "import type { Chat } from 'openai/resources';",
  "import { APIError } from 'openai/core/error';",
  "void import('./redis-limit-store.js');",
];

it('the ESLint rule reports every other network client, and nothing else', async () => {
  const code = [...FORBIDDEN, ...ALLOWED].join('\n');

  expect(await lintErrorsIn(code, ({ message }) => message.includes('egress-guard.ts'))).toEqual(FORBIDDEN);
}, 60_000);

it('the ESLint rule reports text evaluated as code', async () => {
  const code = ["void eval('1');", "void new Function('return 1');", 'void JSON.parse("1");'];

  const isEval = ({ ruleId }: Complaint) => ruleId === 'no-eval' || ruleId === 'no-new-func';
  expect(await lintErrorsIn(code.join('\n'), isEval)).toEqual(code.slice(0, 2));
}, 60_000);
