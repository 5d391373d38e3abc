/**
 * `npm run sdk` writes docs/contract and sdk/typescript/src/rest; `npm run sdk -- <language> …` writes sdk/<language>/generated. Both read
 * the documents of the built server.
 */
import { createClient } from '@hey-api/openapi-ts';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDocuments, withoutAlternatives, withoutStreams } from './documents.mjs';
import { withEventTypes } from './event-types.mjs';
import { generateRestSdk, installGenerator, LANGUAGES } from './openapi-generator.mjs';

const languages = process.argv.slice(2);
try {
  if (languages.length > 0) await generateOthers();
  else await writeCommitted(await readDocuments());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

async function generateOthers() {
  const unknown = languages.filter((language) => !LANGUAGES.includes(language));
  if (unknown.length > 0) throw new Error(`Unknown: ${unknown}. Languages: ${LANGUAGES.join(', ')}.`);
  await installGenerator();
  const documents = await readDocuments();
  for (const language of languages) await generateRestSdk(language, documents);
}

/** Writes what is committed: the documents and the TypeScript client. */
async function writeCommitted(documents) {
  await writeFile('docs/contract/openapi.json', `${JSON.stringify(documents.openApi, null, 1)}\n`);
  await writeFile('docs/contract/asyncapi.json', `${JSON.stringify(documents.asyncApi, null, 1)}\n`);
  await generateTypeScript(documents);
}

async function generateTypeScript({ openApi, asyncApi }) {
  const folder = await mkdtemp(join(tmpdir(), 'parley-sdk-'));
  const input = join(folder, 'input.json');
  const calls = withoutAlternatives(withEventTypes(withoutStreams(openApi), asyncApi));
  await writeFile(input, JSON.stringify(closeEnums(calls)));
  await createClient({
    input,
    output: { path: 'sdk/typescript/src/rest', clean: true },
    plugins: [
      { name: '@hey-api/client-fetch', throwOnError: true },
      {
        name: '@hey-api/sdk',
        responseStyle: 'data',
        operations: { strategy: 'single', containerName: 'Rest', methods: 'instance' },
      },
    ],
    logs: { level: 'warn', file: false },
  });
  await rm(folder, { recursive: true, force: true });
}

/** Makes unions of known values: the types are erased, so unknown values do not throw. */
function closeEnums(document) {
  return JSON.parse(JSON.stringify(document).replaceAll('"x-extensible-enum":', '"enum":'));
}
