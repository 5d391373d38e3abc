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

// React Native's own fetch is whatwg-fetch over XMLHttpRequest: its responses have no stream.
const { console, AbortController, performance, setTimeout, clearTimeout, setInterval, clearInterval } =
  globalThis;
const { XMLHttpRequest } = require('xmlhttprequest-ssl');
const sandbox = {
  console,
  AbortController,
  performance,
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
};
Object.assign(sandbox, { XMLHttpRequest, WebSocket: require('ws'), navigator: { product: 'ReactNative' } });
const global = createContext(sandbox);
runInContext('globalThis.global = globalThis.window = globalThis.self = globalThis;', global);
runInContext(readFileSync(require.resolve('whatwg-fetch/dist/fetch.umd.js'), 'utf8'), global);
runInContext(readFileSync('app.bundle.js', 'utf8'), global, { filename: 'app.bundle.js' });
if (!(await global.chat(process.env.BASE_URL))) throw new Error('The chat failed.');
console.log('React Native works');
process.exit();
