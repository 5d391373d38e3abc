import { describe, expect, it, jest } from '@jest/globals';
import { TextBuffer } from './text-buffer.js';

describe('TextBuffer', () => {
  it('starts empty', () => {
    const text = new TextBuffer();

    expect([text.length, String(text)]).toEqual([0, '']);
  });

  it('returns the appended pieces in order after each append', () => {
    const text = new TextBuffer();
    let expected = '';
    for (let n = 0; n < 5000; n++) {
      const piece = `${n}👋`;
      text.append(piece);
      expected += piece;
      expect(text.length).toBe(expected.length);
      if (n % 777 === 0) expect(String(text)).toBe(expected);
    }
    expect(String(text)).toBe(expected);
  });

  it('slices between any two code units', () => {
    const text = new TextBuffer();
    ['ab', '👋', '\ud83d', 'é', '\0', '字'].forEach((piece) => text.append(piece));

    expect([text.slice(1, 4), text.slice(3), text.slice(8)]).toEqual(['b👋', '\udc4b\ud83dé\0字', '']);
  });

  it('accepts a long piece', () => {
    const text = new TextBuffer();
    text.append('x'.repeat(1_000_000));
    text.append('y');

    expect(String(text)).toBe(`${'x'.repeat(1_000_000)}y`);
  });

  it('copies the text a bounded number of times for any number of pieces', () => {
    const copy = jest.spyOn(Buffer.prototype, 'copy');
    const text = new TextBuffer();
    for (let n = 0; n < 5_000; n++) text.append('ten chars.');
    const copied = copy.mock.results.reduce((sum, { value }) => sum + (value as number), 0);
    copy.mockRestore();

    expect(copied).toBeGreaterThan(2 * 25_000);
    expect(copied).toBeLessThan(2 * 3 * text.length);
  });
});
