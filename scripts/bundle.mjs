/**
 * Bundles the compiled code and the packages listed below into dist/server, to start faster. Run by `npm run build`.
 *
 * Other packages stay external: some are native, others are resolved at run time (TypeORM by @nestjs/typeorm,
 * class-validator by @nestjs/common) and must not be loaded twice.
 */
import { cpSync, existsSync, rmSync } from 'node:fs';
import { build } from 'rolldown';

const INSIDE = ['@nestjs', 'es-toolkit', 'rxjs', 'tslib', 'zod'];
const OUT = 'dist/server';

/** Returns the package of a module id: `@nestjs/core` for `@nestjs/core/nest-factory.js`. */
const packageOf = (id) => id.match(/^(@[^/]+\/)?[^/]+/)[0];
/** Excludes Nest's optional packages that are not installed. */
const isInside = (id) => INSIDE.includes(id.split('/')[0]) && existsSync(`node_modules/${packageOf(id)}`);

rmSync(OUT, { recursive: true, force: true });
await build({
  input: ['main', 'cli/admin', 'cli/backup', 'cli/rotate-keys'].map((name) => `dist/src/${name}.js`),
  platform: 'node',
  external: (id) => !/^[./]/.test(id) && !isInside(id),
  // Used by `node --enable-source-maps .`
  output: { dir: OUT, format: 'esm', sourcemap: true },
  logLevel: 'warn',
});
cpSync('dist/src/playground/public', `${OUT}/public`, { recursive: true });
cpSync('dist/src/docs/swagger-login.js', `${OUT}/swagger-login.js`);
cpSync('dist/src/mail-pages/pages', `${OUT}/pages`, { recursive: true });
// Worker threads and processes need their own file.
cpSync('dist/src/ai/tokenizer/tokenizer.worker.mjs', `${OUT}/tokenizer.worker.mjs`);
for (const name of ['image.worker', 'image-structure', 'pdf.worker'])
  cpSync(`dist/src/files/content/${name}.mjs`, `${OUT}/${name}.mjs`);
