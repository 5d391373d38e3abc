import { describe, expect, it } from '@jest/globals';
import { jsonSize } from './json-size.js';

describe('jsonSize', () => {
  it.each<[string, unknown]>([
    ['every ASCII character', String.fromCharCode(...Array(128).keys())],
    ['characters of two, three and four bytes', 'é\u07ff\u0800你\uffff😀'],
    ['lone surrogates', '\ud800 a\udc00 \ud83d\ud83d\ude00 \ude00\ud83d'],
    ['line separators', '\u2028\u2029\u0085\u007f'],
    ['numbers, booleans and null', [0, -1.5, 1e21, true, false, null]],
    ['empty objects, arrays and strings', [{}, [], '']],
    ['nested objects and arrays', { a: [{ b: 'c"\n' }, { d: { é: [1, 2] } }], e: null }],
    ['undefined members', { a: undefined, b: 1, c: undefined }],
    ['only undefined members', { a: undefined }],
  ])('counts the bytes of %s', (_, value) => {
    expect(jsonSize(value)).toBe(Buffer.byteLength(JSON.stringify(value)));
  });
});
