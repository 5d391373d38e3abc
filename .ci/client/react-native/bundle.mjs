/** Bundles the app as React Native does, compiles it with Hermes, and runs it with React Native's globals only. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
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

/** Keeps parts as they are, as React Native's does. */
class NativeFormData {
  parts = [];
  append(name, value) {
    this.parts.push({ name, value });
  }
}

/** Reads the files of a form by their `uri` when it is sent, as React Native's networking module does. */
class NativeRequest extends XMLHttpRequest {
  upload = {};
  constructor() {
    super();
    // The package defines its methods here.
    const send = this.send.bind(this);
    this.send = (body) => (body instanceof NativeFormData ? this.sendForm(body, send) : send(body));
  }
  sendForm({ parts: [{ name, value }] }, send) {
    const head = [
      '--native',
      `Content-Disposition: form-data; name="${name}"; filename="${value.name}"`,
      `Content-Type: ${value.type}`,
    ];
    const bytes = readFileSync(new URL(value.uri));
    this.setRequestHeader('Content-Type', 'multipart/form-data; boundary=native');
    send(
      Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes, Buffer.from('\r\n--native--\r\n')]),
    );
    this.upload.onprogress?.({ loaded: bytes.length });
  }
}

const sandbox = {
  console,
  AbortController,
  performance,
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
};
Object.assign(sandbox, { WebSocket: require('ws'), navigator: { product: 'ReactNative' } });
Object.assign(sandbox, { XMLHttpRequest: NativeRequest, FormData: NativeFormData });
const global = createContext(sandbox);
runInContext('globalThis.global = globalThis.window = globalThis.self = globalThis;', global);
runInContext(readFileSync(require.resolve('whatwg-fetch/dist/fetch.umd.js'), 'utf8'), global);
runInContext(readFileSync('app.bundle.js', 'utf8'), global, { filename: 'app.bundle.js' });
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';
writeFileSync('pixel', PIXEL, 'base64');
if (!(await global.chat(process.env.BASE_URL, pathToFileURL('pixel').href)))
  throw new Error('The chat failed.');
console.log('React Native works');
process.exit();
