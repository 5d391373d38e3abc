import { describe, expect, it } from '@jest/globals';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { statusIn } from '../errors/error-class.js';
import { CompletionParser } from './completion-parser.js';
import { cpuMs } from '../../../test/support/cpu-time.js';

const LENGTH = 200_000;

const newParser = () =>
  new CompletionParser(new ProviderErrorFactory({ apiKey: '', modelUrl: 'https://provider.example.com/v1' }));

function parse(body: string): CompletionParser {
  const parser = newParser();
  parser.push(Buffer.from(body));
  parser.end();
  return parser;
}

const NAMES = [
  ...[
    'choices',
    'index',
    'delta',
    'message',
    'content',
    'text',
    'type',
    'reasoning',
    'tool_calls',
    'finish_reason',
  ],
  ...[
    'error',
    'code',
    'status',
    'status_code',
    'param',
    'loc',
    'msg',
    'detail',
    'errors',
    'metadata',
    'raw',
    'base_resp',
  ],
  ...[
    'usage',
    'prompt_tokens',
    'completion_tokens',
    'citations',
    'search_results',
    'url',
    'title',
    'x_groq',
    'object',
  ],
];

/** Chunks with a value in every member that is read, alone and in the places where such members are nested. */
function chunksWith(value: string): string[] {
  const members = NAMES.map((name) => `{"${name}":${value}}`);
  const withMessage = NAMES.map((name) => `{"message":"a","${name}":${value}}`);
  return [...members, ...withMessage].flatMap((member) => [
    member,
    ...['error', 'detail', 'usage', 'citations', 'base_resp'].flatMap((name) => [
      `{"${name}":${member}}`,
      `{"${name}":[${member},${member}]}`,
    ]),
    ...['delta', 'message'].flatMap((name) => [
      `{"choices":[{"${name}":${member}}]}`,
      `{"choices":[{"${name}":{"content":[${member}]}}]}`,
    ]),
    `{"choices":[${member},${member}]}`,
  ]);
}

const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
const fill = (text: string) => text.repeat(LENGTH / text.length);

describe('CompletionParser', () => {
  it.each<[string, string]>([
    ['a finish reason of spaces', event({ choices: [{ delta: {}, finish_reason: `${fill(' ')}x` }] })],
    ['an event of spaces', `data: a${fill(' ')}{\n\n`],
  ])('takes linear time for %s', (_, body) => {
    expect(cpuMs(() => parse(body))).toBeLessThan(5_000);
  });

  it.each(['internal', 'exceeded_'])('takes linear time for an error code of %p repeated', (word) => {
    const spent = cpuMs(() => {
      expect(statusIn({ error: { code: `${fill(word)}${fill(word)}x` } })).toBeUndefined();
    });

    expect(spent).toBeLessThan(5_000);
  });

  it.each<[string, string]>([
    ['events', 'data: {\n\n'.repeat(5_001)],
    ['lines of an event', `${'data: x\n'.repeat(5_001)}\n`],
    ['lines of a body', `{${'\n{'.repeat(5_001)}`],
  ])('fails a reply after 5,000 %s without JSON, and reads no more of it', (_, body) => {
    const text = event({ choices: [{ delta: { content: 'a' }, finish_reason: 'stop' }] });
    const parser = parse(body + text);

    expect(parser.error?.detail).toBe('The provider answered with something that is no reply.');
    expect(parser.phase).toBe('beforeText');
  });

  it('keeps a reply that 5,000 keep-alives precede', () => {
    const text = event({ choices: [{ delta: { content: 'a' }, finish_reason: 'stop' }] });

    expect(parse('data: working\n\n'.repeat(5_000) + text).error).toBeUndefined();
  });

  it('reads a chunk whose members are of any kind', () => {
    const values = ['null', '1', '"a"', '[]', '{"toString":null,"valueOf":null}', '[{"toString":null}]'];
    const deep = '['.repeat(10_000) + ']'.repeat(10_000);

    for (const chunk of [...values, deep].flatMap((value) => chunksWith(value)))
      expect(() => parse(`data: ${chunk}\n\n`)).not.toThrow();
  });

  it('reads a body of a chunk per line, with blank lines between', () => {
    const chunk = JSON.stringify({ choices: [{ delta: { content: 'a' } }] });

    const parser = newParser();
    parser.push(Buffer.from(`${chunk}\n\n`.repeat(15_000)));
    expect(parser.end()?.content).toHaveLength(15_000);
    expect(parser.error).toBeUndefined();
  });
});
