/** Validates /asyncapi.json of the server at BASE_URL. Run: node .ci/asyncapi.mjs URL FOLDER_WITH_THE_PARSER */
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [url, folder] = process.argv.slice(2);
const { Parser } = createRequire(join(folder, 'index.js'))('@asyncapi/parser');
const document = await (await fetch(`${url}/asyncapi.json`)).text();
const { diagnostics } = await new Parser().parse(document);
// Severities 0 and 1 are errors and warnings.
const faults = diagnostics.filter(({ severity }) => severity < 2);
for (const { path, message } of faults) console.error(`${path.join('.')}: ${message}`);
process.exit(faults.length > 0 ? 1 : 0);
