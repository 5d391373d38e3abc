import { describe, expect, it, jest } from '@jest/globals';
import { GrowingText } from './growing-text.js';

describe('GrowingText', () => {
  it('is empty at first', () => {
    const text = new GrowingText();

    expect([text.length, String(text)]).toEqual([0, '']);
  });

  it('is all its pieces in their order, whenever it is read', () => {
    const text = new GrowingText();
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

  it('takes a long piece', () => {
    const text = new GrowingText();
    text.append('x'.repeat(1_000_000));
    text.append('y');

    expect(String(text)).toBe(`${'x'.repeat(1_000_000)}y`);
  });

  it('copies a text a few times at most, however many pieces it comes in', () => {
    const join = jest.spyOn(Array.prototype, 'join');
    const text = new GrowingText();
    for (let n = 0; n < 5_000; n++) text.append('ten chars.');
    const copied = join.mock.results.reduce((sum, { value }) => sum + (value as string).length, 0);
    join.mockRestore();

    expect(copied).toBeGreaterThan(25_000);
    expect(copied).toBeLessThan(3 * text.length);
  });
});
