/**
 * Compares docs/contract with docs/contract/released by oasdiff, at the path given as the argument. Fails for breaking
 * changes that the section "Breaking" of the changelog's unreleased part does not name.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [oasdiff] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'parley-contract-'));
const changes = [
  ...breakingChanges('openapi.json', (document) => document).map(ofOperation),
  ...breakingChanges('asyncapi.json', asOpenApi).map(ofMessage),
];
rmSync(folder, { recursive: true });
const announced = announcements();
const unannounced = changes.filter(({ names }) => !names.some((name) => announced.includes(`\`${name}\``)));
for (const name of new Set(unannounced.map(({ names }) => names.at(-1)))) {
  const texts = unannounced.filter(({ names }) => names.at(-1) === name);
  console.log(`\`${name}\`: ${texts[0].names[0]}: ${texts[0].text} (${texts.length} of its kind)`);
}
if (unannounced.length > 0) {
  console.log(
    'These changes break clients. Name each under "### Breaking" in CHANGELOG.md, or take it back.',
  );
  process.exitCode = 1;
}

function breakingChanges(file, convert) {
  const [released, current] = ['docs/contract/released', 'docs/contract'].map((from, index) => {
    const path = join(folder, `${index}-${file}`);
    writeFileSync(path, JSON.stringify(convert(JSON.parse(readFileSync(join(from, file), 'utf8')))));
    return path;
  });
  return JSON.parse(
    execFileSync(oasdiff, ['breaking', '-f', 'json', released, current], { encoding: 'utf8' }) || '[]',
  );
}

/** The names that announce a change: its operation or event, and the field. */
function ofOperation({ operation, path, text }) {
  return { names: [`${operation} ${path}`, ...fieldIn(text)], text };
}

function ofMessage({ path, text }) {
  return { names: [`${path}`.slice(1), ...fieldIn(text)], text };
}

/** The last part of a path like `messages/items/finish_reason`. */
function fieldIn(text) {
  const field = /`([^`]+)` (?:request|response)(?:'s)? property|property `([^`]+)`/
    .exec(text)
    ?.slice(1)
    .find(Boolean);
  return field ? [field.split('/').at(-1)] : [];
}

/** Events become responses and commands become requests, so that oasdiff compares their payloads in each direction. */
function asOpenApi({ info, operations, channels, components }) {
  const content = (message) => ({ 'application/json': { schema: resolve(message).payload } });
  const resolve = ({ $ref }) => components.messages[at($ref).$ref.split('/').at(-1)];
  const at = (pointer) => channels[pointer.split('/')[2]].messages[pointer.split('/').at(-1)];
  const response = (messages) => ({ 200: { description: 'OK', content: content(messages[0]) } });
  const paths = Object.entries(operations).map(([name, { action, messages, reply }]) => [
    `/${name}`,
    action === 'send'
      ? { get: { responses: response(messages) } }
      : {
          post: {
            requestBody: { required: true, content: content(messages[0]) },
            responses: reply ? response(reply.messages) : { 204: { description: 'No reply' } },
          },
        },
  ]);
  const { schemas } = components;
  return { openapi: '3.1.1', info, paths: Object.fromEntries(paths), components: { schemas } };
}

function announcements() {
  const unreleased = readFileSync('CHANGELOG.md', 'utf8')
    .split(/^## /m)
    .find((part) => part.startsWith('[Unreleased]'));
  return unreleased?.split(/^### /m).find((part) => part.startsWith('Breaking\n')) ?? '';
}
