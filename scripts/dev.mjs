/** Runs the server and bundles the playground, both again after each change of their sources. */
import { spawn } from 'node:child_process';
import { watch } from 'rolldown';
import { page } from './page.mjs';

watch(page);
spawn('nest start --watch', { stdio: 'inherit', shell: true }).on('exit', (code) => process.exit(code ?? 1));
