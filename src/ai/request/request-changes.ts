import { createHash } from 'node:crypto';
import type { ProviderError } from '../provider/provider.error.js';
import type { ModelProvider, PromptMessage } from '../provider/provider.js';
import { imagesOf, joinContents, textOf } from '../provider/prompt-content.js';
import { type CompletionBody, imagesIn, isAboutValue, refusedIn } from './refusals.js';

const LENGTH_NAMES = ['max_tokens', 'max_completion_tokens'] as const;
type LengthName = (typeof LENGTH_NAMES)[number];

/**
 * A change to refused requests. A dropped parameter is stored with its value, a swapped one with its name, so that a
 * mistake affects no other request.
 */
export type Change =
  'no images' | 'no usage' | 'no stream' | 'no system' | `swap ${LengthName}` | `drop ${string}`;

const MAX_ACCOUNTS = 10_000;
/** After this time the original request is sent again: accounts get verified, and servers replaced. */
const REMEMBERED_MS = 60 * 60_000;
const MAX_CHANGES = 50;
/** Longer values are cut before they are compared. UTF-16 code units. */
const MAX_VALUE_LENGTH = 100;

interface Remembered {
  changes: ReadonlySet<Change>;
  until: number;
}

/**
 * Changes needed per provider, model and API key, because providers treat accounts differently, and per user of a shared
 * configuration, because refusals quote what a user sent.
 */
export class KnownChanges {
  /** Least recently learned first. */
  private readonly remembered = new Map<string, Remembered>();

  get(provider: ModelProvider): ReadonlySet<Change> {
    const known = this.remembered.get(keyOf(provider));
    return known && known.until > Date.now() ? known.changes : new Set();
  }

  remember(provider: ModelProvider, changes: ReadonlySet<Change>): void {
    const key = keyOf(provider);
    this.remembered.delete(key);
    for (const oldest of this.remembered.keys()) {
      if (this.remembered.size < MAX_ACCOUNTS) break;
      this.remembered.delete(oldest);
    }
    const latest = new Set([...changes].slice(-MAX_CHANGES));
    this.remembered.set(key, { changes: latest, until: Date.now() + REMEMBERED_MS });
  }
}

/** Adapts a request to its provider, one refusal at a time. Each change is made once. */
export class RequestChanges {
  private readonly changes: Set<Change>;

  constructor(
    private readonly original: CompletionBody,
    private readonly known: ReadonlySet<Change>,
  ) {
    this.changes = new Set(known);
  }

  /** All changes if any is new, else undefined. */
  get learned(): ReadonlySet<Change> | undefined {
    return [...this.changes].some((change) => !this.known.has(change)) ? this.changes : undefined;
  }

  get body(): CompletionBody {
    const has = (change: Change) => this.changes.has(change);
    const kept = Object.entries(this.original).filter(([name, value]) => !has(dropOf(name, value)));
    const body = Object.fromEntries(kept) as CompletionBody;
    for (const name of LENGTH_NAMES) {
      if (has(`swap ${name}`) && name in body) rename(body, name, otherLengthName(name));
    }
    if (has('no images')) body.messages = body.messages.map(withoutEarlierImages);
    if (has('no system')) body.messages = withoutSystem(body.messages);
    if (has('no stream')) body.stream = false;
    if (has('no usage') || has('no stream')) delete body.stream_options;
    return body;
  }

  /** @returns whether the refusal led to a new change, so that another attempt may succeed */
  learn(refusal: ProviderError): boolean {
    const refused = refusedIn(refusal, this.body);
    if (refused === undefined) return false;
    if (typeof refused === 'object') return this.changeParam(refused.param, refusal.fullText);
    if (refused === 'images') return this.leaveOutImages(refusal.fullText);
    if (refused !== 'unknown') return this.add(`no ${refused}`);
    return this.add('no usage') || (this.hasOnlyEarlierImages && this.add('no images'));
  }

  /** Whether images were refused, also if the request fails for it. */
  get refusesImages(): boolean {
    return this.changes.has('no images') && !this.known.has('no images');
  }

  private get hasOnlyEarlierImages(): boolean {
    const images = imagesIn(this.original);
    return images.length > 0 && !images.some(({ isCurrent }) => isCurrent);
  }

  /** @returns false if the message to answer has images, so that its turn fails */
  private leaveOutImages(message: string): boolean {
    if (this.hasOnlyEarlierImages) return this.add('no images');
    if (!isAboutValue(message)) this.add('no images');
    return false;
  }

  /** Drops the request for usage, which users did not configure. */
  dropUsage(): void {
    this.add('no usage');
  }

  private changeParam(name: string, message: string): boolean {
    if (!isLengthName(name)) return this.drop(name);
    const other = otherLengthName(name);
    if (this.changes.has(`swap ${other}`) && other in this.original) {
      // Refused under both names: the value is the cause.
      if (!this.known.has(`swap ${other}`)) this.changes.delete(`swap ${other}`);
      return this.drop(other);
    }
    const mayBeSwapped = !(other in this.original) && (message.includes(other) || !isAboutValue(message));
    return (mayBeSwapped && this.add(`swap ${name}`)) || this.drop(name);
  }

  private drop(name: string): boolean {
    return this.add(dropOf(name, this.original[name]));
  }

  private add(change: Change): boolean {
    const isNew = !this.changes.has(change);
    this.changes.add(change);
    return isNew;
  }
}

function keyOf({ modelUrl, modelName, apiKey, sharedWith = 0 }: ModelProvider): string {
  const account = createHash('sha256').update(apiKey).digest('base64');
  return `${modelUrl} ${modelName} ${account} ${sharedWith}`;
}

function dropOf(name: string, value: unknown): Change {
  return `drop ${name} ${(JSON.stringify(value) ?? '').slice(0, MAX_VALUE_LENGTH)}`;
}

function isLengthName(name: string): name is LengthName {
  return LENGTH_NAMES.some((each) => each === name);
}

function otherLengthName(name: LengthName): LengthName {
  return name === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
}

function rename(body: CompletionBody, from: string, to: string): void {
  if (to in body) return;
  body[to] = body[from];
  delete body[from];
}

/** Names images of earlier messages in words. */
function withoutEarlierImages(message: PromptMessage): PromptMessage {
  const { content } = message;
  if (typeof content === 'string' || imagesOf(content).length === 0) return message;
  const parts = content.map((part) => (part.type === 'text' || part.isCurrent ? part : part.inWords()));
  return { ...message, content: imagesOf(parts).length === 0 ? textOf(parts) : parts };
}

/** Prepends the system prompt to the first user message. */
function withoutSystem([system, ...others]: PromptMessage[]): PromptMessage[] {
  const first = others.findIndex(({ role }) => role === 'user');
  if (system?.role !== 'system') return system ? [system, ...others] : [];
  return others.map((message, index) =>
    index === first ? { ...message, content: joinContents(system.content, message.content) } : message,
  );
}
