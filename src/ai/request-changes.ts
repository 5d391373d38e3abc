import type { ProviderError } from './provider.error.js';
import type { ModelProvider, PromptMessage } from './provider.js';
import { type CompletionBody, refusedIn } from './refusals.js';

/** A change to requests that a provider refused. A dropped parameter is remembered with its value. */
export type Change = 'no usage' | 'no stream' | 'no system' | 'swap length' | `drop ${string}`;

const LENGTH_NAMES = ['max_tokens', 'max_completion_tokens'] as const;
const MAX_PROVIDERS = 1_000;
const MAX_CHANGES = 50;
/** As much as is remembered of a value. UTF-16 code units. */
const MAX_VALUE_LENGTH = 100;

/** The changes that each provider and model has turned out to need. */
export class KnownChanges {
  /** The latest last. */
  private readonly changes = new Map<string, ReadonlySet<Change>>();

  of(provider: ModelProvider): ReadonlySet<Change> {
    return this.changes.get(keyOf(provider)) ?? new Set();
  }

  remember(provider: ModelProvider, changes: ReadonlySet<Change>): void {
    const key = keyOf(provider);
    this.changes.delete(key);
    for (const oldest of this.changes.keys()) {
      if (this.changes.size < MAX_PROVIDERS) break;
      this.changes.delete(oldest);
    }
    this.changes.set(key, new Set([...changes].slice(-MAX_CHANGES)));
  }
}

/** Changes a request step by step to what its provider takes. Each step is taken once. */
export class RequestChanges {
  private readonly changes: Set<Change>;

  constructor(
    private readonly original: CompletionBody,
    private readonly known: ReadonlySet<Change>,
  ) {
    this.changes = new Set(known);
  }

  /** What was changed; undefined where nothing is new. */
  get learned(): ReadonlySet<Change> | undefined {
    return [...this.changes].some((change) => !this.known.has(change)) ? this.changes : undefined;
  }

  get body(): CompletionBody {
    const has = (change: Change) => this.changes.has(change);
    const kept = Object.entries(this.original).filter(([name, value]) => !has(dropOf(name, value)));
    const body = Object.fromEntries(kept) as CompletionBody;
    if (has('swap length')) swapLength(body);
    if (has('no system')) body.messages = withoutSystem(body.messages);
    if (has('no stream')) body.stream = false;
    if (has('no usage') || has('no stream')) delete body.stream_options;
    return body;
  }

  /** @returns whether the request was changed by what the refusal says, so that another try may help */
  learn(refusal: ProviderError): boolean {
    const refused = refusedIn(refusal, this.body);
    if (refused === undefined) return false;
    if (typeof refused === 'object') return this.changeParam(refused.param);
    return this.add(refused === 'unknown' ? 'no usage' : `no ${refused}`);
  }

  /** Leaves out what nobody asked for. */
  forgoUsage(): void {
    this.add('no usage');
  }

  private changeParam(name: string): boolean {
    const isLength = LENGTH_NAMES.some((each) => each === name);
    const isSwapped = this.changes.has('swap length');
    if (isLength && !isSwapped && !LENGTH_NAMES.every((each) => each in this.original))
      return this.add('swap length');
    // Refused under both names, it is the value.
    if (isLength && !this.known.has('swap length')) this.changes.delete('swap length');
    const original = isLength && !(name in this.original) ? otherLengthName(name) : name;
    return this.add(dropOf(original, this.original[original]));
  }

  private add(change: Change): boolean {
    const isNew = !this.changes.has(change);
    this.changes.add(change);
    return isNew;
  }
}

function keyOf({ modelUrl, modelName }: ModelProvider): string {
  return `${modelUrl} ${modelName}`;
}

function dropOf(name: string, value: unknown): Change {
  return `drop ${name} ${(JSON.stringify(value) ?? '').slice(0, MAX_VALUE_LENGTH)}`;
}

function otherLengthName(name: string): string {
  return LENGTH_NAMES.find((each) => each !== name)!;
}

function swapLength(body: CompletionBody): void {
  const name = LENGTH_NAMES.find((each) => each in body);
  if (!name || otherLengthName(name) in body) return;
  body[otherLengthName(name)] = body[name];
  delete body[name];
}

/** The system prompt goes before the first user message. */
function withoutSystem([system, ...others]: PromptMessage[]): PromptMessage[] {
  const first = others.findIndex(({ role }) => role === 'user');
  if (system?.role !== 'system') return system ? [system, ...others] : [];
  return others.map((message, index) =>
    index === first ? { ...message, content: `${system.content}\n\n${message.content}` } : message,
  );
}
