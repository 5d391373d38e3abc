import { describe, expect, it } from '@jest/globals';
import type { ProviderChunk } from '../provider/provider.chunk.js';
import { UsageCount } from './usage-count.js';

const chunk = (usage?: object) => ({ choices: [], ...(usage && { usage }) });

describe('UsageCount', () => {
  it('reports a chunk that has a count, once both counts are known', () => {
    const count = new UsageCount();
    const reports = [
      { prompt_tokens: 7 },
      { completion_tokens: 0 },
      { completion_tokens: 3 },
      undefined,
      {},
      { completion_tokens: 4 },
    ].map((usage) => count.add(chunk(usage), undefined));

    expect(reports).toEqual([false, false, true, false, false, true]);
    expect(count.value).toEqual({ promptTokens: 7, completionTokens: 4, totalTokens: 11 });
  });

  it.each([
    ['prompt_tokens', 'completion_tokens', 'total_tokens'],
    ['input_tokens', 'output_tokens', 'total_tokens'],
    ['promptTokens', 'completionTokens', 'totalTokens'],
    ['inputTokens', 'outputTokens', 'totalTokens'],
    ['promptTokenCount', 'candidatesTokenCount', 'totalTokenCount'],
  ])('reads %s, %s and %s', (prompt, completion, total) => {
    const count = new UsageCount();
    count.add(chunk({ [prompt]: 7, [completion]: 3, [total]: 12 }), undefined);

    expect(count.value).toEqual({ promptTokens: 7, completionTokens: 3, totalTokens: 12 });
  });

  const usage = { prompt_tokens: 7, completion_tokens: 3 };

  it.each<[what: string, chunk: ProviderChunk, choice: Record<string, unknown> | undefined]>([
    ['the chunk', { usage }, undefined],
    ['Gemini’s usageMetadata', { usageMetadata: usage }, undefined],
    ['x_groq', { x_groq: { usage } }, undefined],
    ['the choice', {}, { usage }],
  ])('reads the counts in %s', (_, holder, choice) => {
    const count = new UsageCount();

    expect(count.add(holder, choice)).toBe(true);
    expect(count.value.totalTokens).toBe(10);
  });

  it('knows a count of zero beside another', () => {
    const count = new UsageCount();

    expect(count.add(chunk({ prompt_tokens: 7, completion_tokens: 0 }), undefined)).toBe(true);
    expect(count.value).toEqual({ promptTokens: 7, completionTokens: 0, totalTokens: 7 });
  });

  it('takes the sum of counts for a lower or missing total, and no total that is out of range', () => {
    const totalOf = (total: unknown) => {
      const count = new UsageCount();
      count.add(chunk({ ...usage, total_tokens: total }), undefined);
      return count.value.totalTokens;
    };

    expect([9, 10, 11, undefined, 0, -1, 1.5, 2 ** 31 - 1, 2 ** 31].map(totalOf)).toEqual([
      10,
      10,
      11,
      10,
      10,
      10,
      10,
      2 ** 31 - 1,
      10,
    ]);
  });

  it('has a total that a database column can store', () => {
    const count = new UsageCount();
    count.add(chunk({ prompt_tokens: 2 ** 31 - 1, completion_tokens: 2 ** 31 - 1 }), undefined);

    expect(count.value.totalTokens).toBe(2 ** 31 - 1);
  });
});
