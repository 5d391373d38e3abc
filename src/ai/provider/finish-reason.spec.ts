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
  const TOOL = 'The model asked for a tool, which Parley does not have, and said nothing.';
  const CUT_SHORT =
    'The model spent its whole allowance of tokens on thinking, and said nothing: raise max_tokens.';
  const EMPTY = 'The model said nothing: the provider ended the reply without any text.';

  it.each([
    ['tool_calls', false, false, TOOL],
    ['function_call', false, true, TOOL],
    ['stop', true, true, TOOL],
    ['length', false, true, CUT_SHORT],
    ['MAX_TOKENS', false, false, CUT_SHORT],
    ['stop', false, true, 'The model said nothing after its thinking.'],
    ['stop', false, false, EMPTY],
    [undefined, false, false, EMPTY],
  ])('of %s, tool %s, reasoning %s is %j', (reason, requestedTool, hasReasoning, sentence) => {
    expect(emptyReplySentence(reason, { requestedTool, hasReasoning })).toBe(sentence);
  });
});
