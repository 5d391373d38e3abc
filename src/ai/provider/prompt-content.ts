/** OpenAI's rule for images at high detail, in pixels and tokens. */
const MAX_SIDE = 2048;
const MAX_SHORT_SIDE = 768;
const TILE = 512;
const TOKENS_PER_TILE = 170;
const BASE_TOKENS = 85;

export interface TextPart {
  type: 'text';
  text: string;
}

interface ImageSource {
  name: string;
  /** In pixels, as sent. */
  width: number;
  height: number;
  /** Whether it belongs to the message to answer. */
  isCurrent: boolean;
}

/** An image in a prompt. Its JSON has only the fields of OpenAI's API. */
export class ImagePart {
  readonly type = 'image_url';
  readonly #source: ImageSource;

  constructor(
    readonly image_url: { url: string },
    source: ImageSource,
  ) {
    this.#source = source;
  }

  get isCurrent(): boolean {
    return this.#source.isCurrent;
  }

  get tokens(): number {
    return imageTokens(this.#source);
  }

  /** Replaces the image for a model that takes none. */
  inWords(): TextPart {
    return {
      type: 'text',
      text: `[The image ${JSON.stringify(this.#source.name)} is not shown to this model.]`,
    };
  }
}

export type PromptPart = TextPart | ImagePart;
export type PromptContent = string | PromptPart[];

export function partsOf(content: PromptContent): PromptPart[] {
  if (typeof content !== 'string') return content;
  return content === '' ? [] : [{ type: 'text', text: content }];
}

/** All text, without images. */
export function textOf(content: PromptContent): string {
  if (typeof content === 'string') return content;
  return content.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n\n');
}

export function imagesOf(content: PromptContent): ImagePart[] {
  return partsOf(content).filter((part) => part instanceof ImagePart);
}

/** Joins text by a blank line, and lists of parts. */
export function joinContents(one: PromptContent, other: PromptContent): PromptContent {
  if (typeof one === 'string' && typeof other === 'string') return `${one}\n\n${other}`;
  return [...partsOf(one), ...partsOf(other)];
}

/** Counts tiles of 512 pixels after scaling to fit 2048 × 2048, then to 768 on the shorter side. */
export function imageTokens({ width, height }: { width: number; height: number }): number {
  const fit = Math.min(1, MAX_SIDE / Math.max(width, height));
  const scale = fit * Math.min(1, MAX_SHORT_SIDE / (fit * Math.min(width, height)));
  // Rounded first: 768.0000001 pixels are no further tile.
  const tiles = (side: number) => Math.ceil(Math.max(1, Math.round(side * scale)) / TILE);
  return BASE_TOKENS + TOKENS_PER_TILE * tiles(width) * tiles(height);
}
