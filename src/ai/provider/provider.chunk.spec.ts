import { describe, expect, it } from '@jest/globals';
import { choiceOf, readChoice, readError, requestsTool } from './provider.chunk.js';

describe('choiceOf', () => {
  const [zero, one] = [
    { index: 0, delta: 'a' },
    { index: 1, delta: 'b' },
  ];

  it.each<[what: string, choices: unknown, expected: unknown]>([
    ['the choice with index 0', [one, zero], zero],
    ['the choice with index "0"', [one, { index: '0' }], { index: '0' }],
    ['a choice without an index', [one, { delta: 'c' }], { delta: 'c' }],
    ['a lone choice of any index', [one], one],
    ['the first of others', [one, { index: 2 }], one],
    ['none of an empty list', [], undefined],
    ['none where the list holds text', ['a'], undefined],
    ['none without a list', { index: 0 }, undefined],
  ])('takes %s', (_, choices, expected) => expect(choiceOf({ choices })).toEqual(expected));
});

describe('readChoice', () => {
  it.each<[choice: Record<string, unknown>, content: string, reasoning: string]>([
    [{ delta: { content: 'a' } }, 'a', ''],
    [{ delta: 'a' }, 'a', ''],
    [{ delta: { content: { type: 'text', text: 'a' } } }, 'a', ''],
    [{ delta: { content: '', text: 'a' } }, 'a', ''],
    [{ delta: { refusal: 'No.' } }, 'No.', ''],
    [{ delta: { content: 7 } }, '7', ''],
    [{ delta: { content: ['a', { text: 'b' }] } }, 'ab', ''],
    [{ delta: { content: [{ type: 'thought', text: 'Hm' }, { text: 'a' }] } }, 'a', 'Hm'],
    [{ delta: { content: [{ type: 'reason', text: 'Hm' }] } }, '', 'Hm'],
    [{ delta: { content: [{ text: { value: 'a' } }] } }, 'a', ''],
    [{ delta: { content: [[[['a']]]] } }, 'a', ''],
    [{ delta: { content: [[[[['a']]]]] } }, 'a', ''],
    [{ delta: { content: [[[[[['a']]]]]] } }, '', ''],
    [{ delta: { reasoning_content: 'Hm', reasoning: 'other' } }, '', 'Hm'],
    [{ delta: { reasoning: 'Hm', thinking: 'other' } }, '', 'Hm'],
    [{ delta: { reasoning_text: 'Hm' } }, '', 'Hm'],
    [{ delta: { thinking: 'Hm' } }, '', 'Hm'],
    [{ delta: { content: [{ type: 'think', text: 'x' }], reasoning: 'Hm' } }, '', 'Hm'],
    [{ delta: {} }, '', ''],
    [{ delta: null }, '', ''],
    [{ text: 'a' }, 'a', ''],
    [{ delta: {}, text: 'a' }, 'a', ''],
    [{ delta: { reasoning: 'Hm' }, message: { content: 'a' } }, '', 'Hm'],
  ])('reads the text of %j', (choice, content, reasoning) => {
    expect(readChoice(choice)).toMatchObject({ content, reasoning, isMessage: false });
  });

  it('reads a whole message if the delta is empty', () => {
    const message = { content: 'a', reasoning_content: 'Hm' };

    expect(readChoice({ delta: { content: '' }, message })).toMatchObject({
      content: 'a',
      reasoning: 'Hm',
      isMessage: true,
    });
  });

  it.each([
    [{ finish_reason: 'stop' }, 'stop'],
    [{ finishReason: 'STOP' }, 'STOP'],
    [{ finish_reason: { type: 'abort' } }, 'abort'],
    [{ finish_reason: null }, undefined],
    [{ finish_reason: 7 }, undefined],
    [{}, undefined],
  ])('reads the finish reason of %j', (choice, reason) => {
    expect(readChoice(choice).finishReason).toBe(reason);
  });
});

describe('requestsTool', () => {
  it.each([
    [{ delta: { tool_calls: [{}] } }, true],
    [{ delta: { function_call: {} } }, true],
    [{ message: { tool_calls: [{}] } }, true],
    [{ delta: { tool_calls: null } }, false],
    [{ delta: 'a' }, false],
    [{}, false],
  ])('of %j is %s', (choice, expected) => expect(requestsTool(choice)).toBe(expected));
});

describe('readError', () => {
  const died = { message: 'Died' };

  it.each<[what: string, chunk: Record<string, unknown>]>([
    ['an object', { error: died }],
    ['beside choices', { error: died, choices: [{ delta: { content: 'a' } }] }],
    ['of Groq', { x_groq: { error: died } }],
    ['in the choice', { choices: [{ error: died }] }],
  ])('finds an error: %s', (_, chunk) => expect(readError(chunk)).toBe(died));

  it.each<[chunk: Record<string, unknown>]>([
    [{ error: 'Died' }],
    [{ object: 'error' }],
    [{ type: 'error' }],
    [{ success: false }],
    [{ error_code: 17 }],
    [{ error_code: '17' }],
    [{ errors: [died] }],
    [{ base_resp: { status_code: 1004 } }],
    [{ code: 'InvalidApiKey', message: 'No such key' }],
    [{ code: 400, msg: 'No such key' }],
    [{ object: 'error', choices: [] }],
  ])('finds %j as a whole', (chunk) => expect(readError(chunk)).toBe(chunk));

  it.each<[chunk: Record<string, unknown>]>([
    [{ error: {} }],
    [{ error: { message: '', code: null } }],
    [{ error: null }],
    [{ choices: [{ error: {} }] }],
    [{ choices: [{ delta: {} }], code: 400, message: 'x' }],
    [{ errors: [] }],
    [{ success: true }],
    [{ base_resp: { status_code: 0 } }],
    [{ code: 400 }],
    ...[0, '', '000', 200, 20000, 'ok', 'Success'].map((code): [Record<string, unknown>] => [
      { code, message: 'x', error_code: code },
    ]),
  ])('finds none in %j', (chunk) => expect(readError(chunk)).toBeUndefined());
});
