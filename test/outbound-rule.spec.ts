/** The lint rule that keeps src/ai/outbound.ts the one way out. */
import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '..');

/** Loading the whole project, for rules that are not asked about here, takes most of the time. */
const WITHOUT_TYPES = [
  '--parser-options=projectService:false',
  ...['no-floating-promises', 'no-misused-promises', 'switch-exhaustiveness-check'].flatMap((name) => [
    '--rule',
    `@typescript-eslint/${name}: off`,
  ]),
];

/** ESLint's own process, as Jest cannot load a configuration that is an ES module. */
async function complaintsAbout(code: string, filename: string): Promise<string[]> {
  const eslint = join(ROOT, 'node_modules/eslint/bin/eslint.js');
  const file = ['--stdin', '--stdin-filename', join(ROOT, filename)];
  const args = [eslint, ...file, ...WITHOUT_TYPES, '--format', 'json'];
  const child = promisify(execFile)(process.execPath, args, { cwd: ROOT });
  child.child.stdin!.end(code);
  const { stdout } = await child.catch((error: { stdout: string }) => error);
  const [{ messages }] = JSON.parse(stdout) as [{ messages: { line: number; message: string }[] }];
  return messages
    .filter(({ message }) => message.includes('outbound.ts'))
    .map(({ line }) => lines(code)[line - 1]!);
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
  "void import('./redis-limit-store.js');",
];

it('finds every other client, and nothing else', async () => {
  const code = [...FORBIDDEN, ...ALLOWED].join('\n');

  expect(await complaintsAbout(code, 'src/main.ts')).toEqual(FORBIDDEN);
}, 60_000);
