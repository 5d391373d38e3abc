/** Where a reply comes from: an OpenAI-compatible API, as a user's configuration names it. */
export interface ModelProvider {
  /** The API's base URL, such as `https://api.openai.com/v1`. */
  modelUrl: string;
  modelName: string;
  apiKey: string;
  /** What else the request carries (`temperature`, `max_tokens`, …), in OpenAI's own names. */
  params?: Record<string, unknown>;
  /** Our own demo model: exempt from the address check. Never set from anything that a user wrote. */
  trusted?: boolean;
}

export interface PromptMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface TokenUsage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

/** A web page that a reply rests on. */
export interface ReplySource {
  url: string;
  title: string | null;
}

/** What one read of the provider's stream brought: deltas that arrive together travel together. */
export interface CompletionBatch {
  content: string;
  reasoning: string;
  finishReason?: string;
  usage?: TokenUsage;
  /** All that the provider has named so far. */
  sources?: ReplySource[];
  /** All content before this batch turned out to be reasoning; `reasoning` and `content` follow it. */
  restarted?: boolean;
}
