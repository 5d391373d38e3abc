import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ThinkingTags } from './thinking-tags.js';
import { cpuMs } from '../../../test/support/cpu-time.js';

/** The final text of a client, and how often its content became reasoning. */
function read(deltas: string[]) {
  const tags = new ThinkingTags();
  const read = { content: '', reasoning: '', moves: 0 };
  for (const delta of deltas)
    take(tags.add(delta) ?? { content: delta, reasoning: '', contentWasReasoning: false });
  take(tags.flush());
  return read;

  function take({ content, reasoning, contentWasReasoning: moved }: ReturnType<ThinkingTags['flush']>) {
    if (moved) Object.assign(read, { reasoning: read.content, content: '', moves: read.moves + 1 });
    read.content += content;
    read.reasoning += reasoning;
  }
}

const pieces = fc.constantFrom(
  '<think>',
  '</think>',
  '[THINK]',
  '[/think]',
  '<',
  '</',
  'think',
  '>',
  ' ',
  '\n',
  'a',
  'İ',
  '👩',
);
const texts = fc.array(pieces, { maxLength: 12 }).map((all) => all.join(''));
const cutAt = (text: string, cuts: number[]) =>
  [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length]
    .map((cut, index, all) => text.slice(all[index - 1] ?? 0, cut))
    .slice(1);

describe('ThinkingTags', () => {
  it('splits the same for any split of the text into deltas', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat()), (text, cuts) => {
        expect(read(cutAt(text, cuts))).toEqual(read([text]));
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps text without a closing tag unchanged', () => {
    const plain = texts.filter(
      (text) => !/<\/think>|\[\/think\]/i.test(text) && !/^\s*(<think>|\[think\])/i.test(text),
    );
    fc.assert(
      fc.property(plain, fc.array(fc.nat()), (text, cuts) => {
        expect(read(cutAt(text, cuts))).toEqual({ content: text, reasoning: '', moves: 0 });
      }),
      { numRuns: 2_000 },
    );
  });

  it.each<[text: string, content: string, reasoning: string]>([
    ['<THINK>a</Think>b', 'b', 'a'],
    ['<think>a</thinking></think>b', 'b', 'a</thinking>'],
    ['İİ</think>b', 'b', 'İİ'],
    ['a <think> b </think> c', 'a <think> b </think> c', ''],
    ['a</think>b</think>c', 'b</think>c', 'a'],
    ['</think>b', 'b', ''],
    ['<think>a', '', 'a'],
    ['<think', '<think', ''],
    [`${' '.repeat(2_000)}a`, `${' '.repeat(2_000)}a`, ''],
  ])('splits %j into the content %j and the reasoning %j', (text, content, reasoning) => {
    expect(read([...text])).toMatchObject({ content, reasoning });
  });

  it.each([
    ['without another tag', 'a'.repeat(256 * 1024 + 1)],
    ['with the start of another tag in each delta', '<b>'.repeat(90_000)],
  ])('keeps a closing tag after 256 KiB of text %s', (_, text) => {
    expect(read([...(text.match(/.{1,3000}/g) ?? []), '</think>b'])).toEqual({
      content: `${text}</think>b`,
      reasoning: '',
      moves: 0,
    });
  });

  it('takes linear time for text full of partial tags', () => {
    const spent = cpuMs(() => {
      read(Array<string>(200_000).fill('<'));
      read(Array<string>(200_000).fill('<think>'));
    });

    expect(spent).toBeLessThan(5_000);
  });
});
