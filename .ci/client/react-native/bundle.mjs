/** Bundles the app as React Native does, compiles it with Hermes, and runs it with React Native's globals only. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createContext, runInContext } from 'node:vm';
import { getDefaultConfig, mergeConfig } from '@react-native/metro-config';
import Metro from 'metro';

const root = process.cwd();
const require = createRequire(`${root}/`);
// Without react-native itself, a download of 100 MB.
const serializer = { getModulesRunBeforeMainModule: () => [], getPolyfills: () => [] };
const config = mergeConfig(await getDefaultConfig(root), {
  serializer,
  reporter: { update() {} },
  maxWorkers: 1,
});
await Metro.runBuild(config, {
  entry: 'app.js',
  platform: 'ios',
  dev: false,
  minify: false,
  out: 'app.bundle.js',
});
const hermesc = require.resolve('hermes-compiler/hermesc/linux64-bin/hermesc');
execFileSync(hermesc, ['-w', '-emit-binary', '-out', 'app.hbc', 'app.bundle.js']);

const WebSocket = globalThis.WebSocket ?? require('ws');
const { console, fetch, Request, Response, Headers, FormData, Blob, AbortController, URL, performance } =
  globalThis;
const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
const sandbox = {
  console,
  fetch,
  Request,
  Response,
  Headers,
  FormData,
  Blob,
  AbortController,
  URL,
  performance,
};
Object.assign(sandbox, { setTimeout, clearTimeout, setInterval, clearInterval, WebSocket });
Object.assign(sandbox, { navigator: { product: 'ReactNative' } });
const global = createContext(sandbox);
runInContext('globalThis.global = globalThis.window = globalThis;', global);
runInContext(readFileSync('app.bundle.js', 'utf8'), global, { filename: 'app.bundle.js' });
if (!(await global.chat(process.env.BASE_URL))) throw new Error('The chat failed.');
console.log('React Native works');
process.exit();
