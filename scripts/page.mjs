/**
 * Bundles the playground into dist/src/playground/public. Run by `npm run build`; `npm run dev` bundles again after
 * each change.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'rolldown';

const APP = 'src/playground/app';
const OUT = 'dist/src/playground/public';
const MAX_BYTES = 150_000;

/** Copies what is not a module, and joins the style sheets in the order of their names. */
const staticFiles = {
  name: 'static-files',
  buildStart() {
    for (const name of STYLES) this.addWatchFile(`${process.cwd()}/${APP}/styles/${name}`);
  },
  writeBundle() {
    for (const name of ['index.html', 'favicon.svg']) cpSync(`${APP}/${name}`, `${OUT}/${name}`);
    const styles = STYLES.map((name) => readFileSync(`${APP}/styles/${name}`, 'utf8'));
    writeFileSync(`${OUT}/app.css`, styles.join('\n'));
  },
};
const STYLES = readdirSync(`${APP}/styles`);

export const page = {
  input: `${APP}/main.tsx`,
  platform: 'browser',
  tsconfig: `${APP}/tsconfig.json`,
  resolve: { extensionAlias: { '.js': ['.ts', '.tsx', '.js'] } },
  plugins: [staticFiles],
  output: { file: `${OUT}/app.js`, format: 'esm', minify: true },
  logLevel: 'warn',
};

/** @returns bytes of all files, gzipped */
function size() {
  const files = readdirSync(OUT).map((name) => readFileSync(`${OUT}/${name}`));
  return files.reduce((sum, file) => sum + gzipSync(file).length, 0);
}

if (process.argv[1] === import.meta.filename) {
  rmSync(OUT, { recursive: true, force: true });
  await build(page);
  console.log(`The playground: ${size()} bytes gzipped, at most ${MAX_BYTES}`);
  if (size() > MAX_BYTES) process.exitCode = 1;
}
