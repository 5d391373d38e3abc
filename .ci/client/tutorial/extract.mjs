/** Writes the code blocks of docs/tutorial-react.md that name a file into the app's folder. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const text = readFileSync(process.argv[2], 'utf8');
for (const [, path, code] of text.matchAll(/^```\w+ title="([^"]+)"\n([^]*?)^```$/gm)) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, code);
}
