import { describe, expect, it } from '@jest/globals';
import { ImagePart, imageTokens, joinContents } from './prompt-content.js';

describe('imageTokens', () => {
  // The examples of OpenAI's documentation, and narrow images.
  it.each([
    [512, 512, 255],
    [768, 768, 765],
    [1024, 1024, 765],
    [2048, 4096, 1105],
    [4096, 8192, 1105],
    [1, 2048, 765],
    [1, 1, 255],
  ])('counts %d × %d pixels as %d', (width, height, tokens) => {
    expect(imageTokens({ width, height })).toBe(tokens);
  });
});

describe('ImagePart', () => {
  const part = new ImagePart({ url: 'data:' }, { name: 'a "b".png', width: 1, height: 1, isCurrent: true });

  it('is sent with the fields of the API alone', () => {
    expect(JSON.parse(JSON.stringify(part))).toEqual({ type: 'image_url', image_url: { url: 'data:' } });
  });

  it('is joined with words as a part of its own', () => {
    expect(joinContents([part], 'Hi')).toEqual([part, { type: 'text', text: 'Hi' }]);
    expect(joinContents('Hi', 'there')).toBe('Hi\n\nthere');
  });
});
