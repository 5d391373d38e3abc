import { describe, expect, it } from '@jest/globals';
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
});
