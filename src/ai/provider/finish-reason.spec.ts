import { describe, expect, it } from '@jest/globals';
import { emptyReplySentence, finishKindOf, readFinishReason } from './finish-reason.js';

describe('readFinishReason', () => {
  it.each(['', ' ', 'null', 'None', 'NIL', 'undefined', 'FINISH_REASON_UNSPECIFIED', 7, null, undefined])(
    'reads %j as none',
    (reason) => expect(readFinishReason(reason)).toBeUndefined(),
  );

  it('keeps at most 64 characters, which every database can store', () => {
    expect(readFinishReason('x'.repeat(65))).toBe('x'.repeat(64));
    expect(readFinishReason(`${'x'.repeat(63)}😀`)).toBe(`${'x'.repeat(63)}\ufffd`);
    expect(readFinishReason('a\0')).toBe('a\ufffd');
  });
});

describe('finishKindOf', () => {
  it.each([
    ['stop', 'well'],
    ['length', 'well'],
    ['tool_calls', 'well'],
    ['content_filter', 'filtered'],
    ['SAFETY', 'filtered'],
    ['network_error', 'failed'],
    ['insufficient_system_resource', 'failed'],
    ['abort', 'failed'],
    ['policy_error', 'filtered'],
  ])('of %s is %s', (reason, kind) => expect(finishKindOf(reason)).toBe(kind));
});

describe('emptyReplySentence', () => {
  it.each([
    ['tool_calls', false, false, /tool/],
    ['function_call', false, true, /tool/],
    ['stop', true, true, /tool/],
    ['length', false, true, /max_tokens/],
    ['MAX_TOKENS', false, false, /max_tokens/],
    ['stop', false, true, /after its thinking/],
    ['stop', false, false, /without any text/],
    [undefined, false, false, /without any text/],
  ])('of %s, tool %s, reasoning %s matches %s', (reason, requestedTool, hasReasoning, sentence) => {
    expect(emptyReplySentence(reason, { requestedTool, hasReasoning })).toMatch(sentence);
  });
});
