import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withoutAlternatives, withoutStreams, withoutUnusedSchemas } from './documents.mjs';
import { withEventSchemas } from './event-types.mjs';

/** Languages with a configuration in sdk/<language>/config.yaml. */
export const LANGUAGES = ['kotlin', 'swift', 'dart', 'java', 'python', 'go', 'csharp'];

const VERSION = '7.25.0';
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
const CACHE = 'node_modules/.cache/openapi-generator';
const JAR = join(CACHE, `openapi-generator-cli-${VERSION}.jar`);
const run = promisify(execFile);

/** Writes a REST client, and the types of Socket.IO's events and commands, to sdk/<language>/generated with OpenAPI Generator. */
export async function generateRestSdk(language, { openApi, asyncApi }) {
  const folder = await mkdtemp(join(tmpdir(), 'parley-document-'));
  const input = join(folder, 'openapi.json');
  const output = `sdk/${language}/generated`;
  try {
    const calls = withoutUnusedSchemas(withoutStreams(openApi));
    await writeFile(input, JSON.stringify(withoutAlternatives(withEventSchemas(calls, asyncApi))));
    await rm(output, { recursive: true, force: true });
    const config = `sdk/${language}/config.yaml`;
    const options = { maxBuffer: 1 << 26 };
    await run('java', ['-jar', JAR, 'generate', '-c', config, '-i', input, '-o', output], options);
    console.log(`Wrote ${output}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Fetches the generator from Maven Central, once. */
export async function installGenerator() {
  await check('java', ['-version'], 'Java 11 or later');
  if (existsSync(JAR)) return;
  await check('mvn', ['-v'], 'Maven, to fetch the generator');
  const artifact = `org.openapitools:openapi-generator-cli:${VERSION}`;
  await run('mvn', ['-q', '-B', COPY, `-Dartifact=${artifact}`, `-DoutputDirectory=${CACHE}`]);
}

async function check(command, args, name) {
  await run(command, args).catch(() => {
    throw new Error(`OpenAPI Generator needs ${name}: \`${command}\` did not run.`);
  });
}
