/** Fails when the core without socket.io-client, bundled and minified, exceeds 20 KB gzipped. */
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const MAX_BYTES = 20_000;

const { output } = await build({
  input: fileURLToPath(new URL('dist/esm/index.js', import.meta.url)),
  external: ['socket.io-client'],
  output: { format: 'esm', minify: true },
  write: false,
});
const bytes = gzipSync(output[0].code, { level: 9 }).length;
console.log(`@parley/client: ${bytes} bytes gzipped, at most ${MAX_BYTES}`);
if (bytes > MAX_BYTES) process.exitCode = 1;
