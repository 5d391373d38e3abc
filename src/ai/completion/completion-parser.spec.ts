import { describe, expect, it } from '@jest/globals';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { statusIn } from '../errors/error-class.js';
import { CompletionParser } from './completion-parser.js';

const LENGTH = 200_000;

const newParser = () =>
  new CompletionParser(new ProviderErrorFactory({ apiKey: '', modelUrl: 'https://provider.example.com/v1' }));

function parse(body: string): CompletionParser {
  const parser = newParser();
  parser.push(Buffer.from(body));
  parser.end();
  return parser;
}

const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
const fill = (text: string) => text.repeat(LENGTH / text.length);

describe('CompletionParser', () => {
  it.each<[string, string]>([
    ['a finish reason of spaces', event({ choices: [{ delta: {}, finish_reason: `${fill(' ')}x` }] })],
    ['an event of spaces', `data: a${fill(' ')}{\n\n`],
  ])('takes linear time for %s', (_, body) => {
    const start = performance.now();
    parse(body);

    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it.each(['internal', 'exceeded_'])('takes linear time for an error code of %p repeated', (word) => {
    const start = performance.now();
    expect(statusIn({ error: { code: `${fill(word)}${fill(word)}x` } })).toBeUndefined();

    expect(performance.now() - start).toBeLessThan(5_000);
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

  it('reads a body of a chunk per line, with blank lines between', () => {
    const chunk = JSON.stringify({ choices: [{ delta: { content: 'a' } }] });

    const parser = newParser();
    parser.push(Buffer.from(`${chunk}\n\n`.repeat(15_000)));
    expect(parser.end()?.content).toHaveLength(15_000);
    expect(parser.error).toBeUndefined();
  });
});
