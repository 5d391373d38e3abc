/** A lone closing tag counts within this part of the reply. Bytes of UTF-8. */
const MAX_LONE_BYTES = 256 * 1024;
/** Maximum white space held back before a leading tag. UTF-16 code units. */
const MAX_LEADING_SPACE = 1024;
const NAMES = ['<think>', '<thinking>', '<thought>', '[think]'];
const TAGS = [...NAMES, ...NAMES.map(closing)];
const ANY_TAG = /<\/?(?:think|thinking|thought)>|\[\/?think\]/i;

export interface SplitText {
  content: string;
  reasoning: string;
  /** All earlier content was reasoning, because its opening tag is in the provider's prompt template. */
  contentWasReasoning: boolean;
}

/**
 * Extracts reasoning from content that contains a model's tags: `<think>` at the start, or a closing tag alone. Later
 * tags are text.
 */
export class ThinkingTags {
  private state: 'start' | 'thinking' | 'watching' | 'plain' = 'start';
  /** A possible beginning of a tag. */
  private held = '';
  private end = '';
  private endPattern = /$/;
  private loneTagAllowed = true;
  private trimming = false;
  private seenBytes = 0;

  /** Call when reasoning arrives separately: a lone closing tag is text then. */
  ignoreLoneTags(): void {
    this.loneTagAllowed = false;
    if (this.state === 'watching') this.state = 'plain';
  }

  /** @returns null if the whole delta is content */
  add(delta: string): SplitText | null {
    if (this.held === '' && !this.trimming) {
      if (this.state === 'plain') return null;
      if (this.state === 'watching' && !mayHaveTag(delta)) return this.countBytes(delta);
    }
    const text = this.trim(this.held + delta);
    this.held = '';
    if (this.state === 'start') return this.readStart(text);
    if (this.state === 'thinking') return this.readReasoning(text);
    return this.state === 'watching' ? this.findTag(text) : asContent(text);
  }

  /** Releases the held text at the end of the stream. */
  flush(): SplitText {
    const { held } = this;
    this.held = '';
    return this.state === 'thinking' ? asReasoning(held) : asContent(held);
  }

  /** Drops white space around a tag. */
  private trim(text: string): string {
    if (!this.trimming) return text;
    const trimmed = text.trimStart();
    this.trimming = trimmed === '';
    return trimmed;
  }

  private readStart(text: string): SplitText {
    const lead = text.trimStart();
    const start = lead.toLowerCase();
    const name = NAMES.find((each) => start.startsWith(each));
    if (name) {
      this.state = 'thinking';
      this.trimming = true;
      this.end = closing(name);
      this.endPattern = new RegExp(this.end.replace('[', '\\['), 'i');
      return this.readReasoning(this.trim(lead.slice(name.length)));
    }
    if (NAMES.some((each) => each.startsWith(start)) && text.length <= MAX_LEADING_SPACE)
      return this.hold(text, 0);
    this.state = this.loneTagAllowed ? 'watching' : 'plain';
    return this.loneTagAllowed ? this.findTag(text) : asContent(text);
  }

  private readReasoning(text: string): SplitText {
    const at = text.search(this.endPattern);
    if (at < 0) return this.hold(text, partialTagAt(text, [this.end]));
    return this.endReasoning(text.slice(0, at), text.slice(at + this.end.length));
  }

  private countBytes(delta: string): null {
    this.seenBytes += Buffer.byteLength(delta);
    if (this.seenBytes > MAX_LONE_BYTES) this.state = 'plain';
    return null;
  }

  private findTag(text: string): SplitText {
    const found = ANY_TAG.exec(text);
    const before = found ? text.slice(0, found.index) : text;
    this.countBytes(before);
    if (!found) {
      return this.state === 'plain' ? asContent(text) : this.hold(text, partialTagAt(text, TAGS));
    }
    const isClosing = found[0][1] === '/';
    if (isClosing && this.state === 'watching') {
      return {
        ...this.endReasoning(before, text.slice(before.length + found[0].length)),
        contentWasReasoning: true,
      };
    }
    this.state = 'plain';
    return asContent(text);
  }

  private endReasoning(reasoning: string, rest: string): SplitText {
    this.state = 'plain';
    this.trimming = true;
    return { reasoning, content: this.trim(rest), contentWasReasoning: false };
  }

  private hold(text: string, from: number): SplitText {
    this.held = text.slice(from);
    const rest = text.slice(0, from);
    return this.state === 'thinking' ? asReasoning(rest) : asContent(rest);
  }
}

function closing(name: string): string {
  return `${name[0]}/${name.slice(1)}`;
}

function asContent(content: string): SplitText {
  return { content, reasoning: '', contentWasReasoning: false };
}

function asReasoning(reasoning: string): SplitText {
  return { content: '', reasoning, contentWasReasoning: false };
}

function mayHaveTag(text: string): boolean {
  return text.includes('<') || text.includes('[');
}

/** Finds the start of a partial tag at the end of a text; the text's length if there is none. */
function partialTagAt(text: string, tags: string[]): number {
  const at = Math.max(text.lastIndexOf('<'), text.lastIndexOf('['));
  const tail = text.slice(at).toLowerCase();
  return at >= 0 && tags.some((tag) => tag.startsWith(tail)) ? at : text.length;
}
