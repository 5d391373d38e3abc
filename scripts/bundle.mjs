/**
 * Joins what was compiled, and the packages below, into the few files of dist/server, which is what runs: finding and
 * reading 1,600 small modules is half of a start. Run: npm run build
 *
 * All other packages stay where they are. Some are native, and some are looked up at run time (TypeORM by @nestjs/typeorm,
 * class-validator by @nestjs/common), of which a second copy would not know the first one's classes.
 */
import { cpSync, existsSync, rmSync } from 'node:fs';
import { build } from 'rolldown';

const INSIDE = ['@nestjs', 'es-toolkit', 'rxjs', 'tslib', 'zod'];
const OUT = 'dist/server';

/** `@nestjs/core/nest-factory.js` is of the package `@nestjs/core`. */
const packageOf = (id) => id.match(/^(@[^/]+\/)?[^/]+/)[0];
/** Nest names packages that need not be there. */
const isInside = (id) => INSIDE.includes(id.split('/')[0]) && existsSync(`node_modules/${packageOf(id)}`);

rmSync(OUT, { recursive: true, force: true });
await build({
  input: ['dist/src/main.js', 'dist/src/cli/rotate-keys.js'],
  platform: 'node',
  external: (id) => !/^[./]/.test(id) && !isInside(id),
  // For `node --enable-source-maps .`
  output: { dir: OUT, format: 'esm', sourcemap: true },
  logLevel: 'warn',
});
cpSync('dist/src/playground/public', `${OUT}/public`, { recursive: true });
// Threads start from a file of their own.
cpSync('dist/src/ai/tokenizer/tokenizer.worker.mjs', `${OUT}/tokenizer.worker.mjs`);
