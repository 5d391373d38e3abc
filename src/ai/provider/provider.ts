import type { PromptContent } from './prompt-content.js';

/** An OpenAI-compatible API and a model, as in a user's configuration. */
export interface ModelProvider {
  /** The API's base URL, such as `https://api.openai.com/v1`. */
  modelUrl: string;
  modelName: string;
  apiKey: string;
  /** Other parameters of the request (`temperature`, `max_tokens`, …), in OpenAI's names. */
  params?: Record<string, unknown>;
  /** Masks the URL in errors, which users see. */
  hidesUrl?: boolean;
  /** The user whom a shared configuration answers: what a user's requests provoke changes no other's. */
  sharedWith?: number;
  /** Exempts the built-in demo model from the address check. Never set from a user's input. */
  trusted?: boolean;
}

export interface PromptMessage {
  role: 'system' | 'user' | 'assistant';
  content: PromptContent;
}

export interface TokenUsage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

/** A web page cited by a reply. */
export interface ReplySource {
  url: string;
  title: string | null;
}

/** The deltas of one read of the provider's stream. */
export interface CompletionBatch {
  content: string;
  reasoning: string;
  finishReason?: string;
  usage?: TokenUsage;
  /** All sources named so far. */
  sources?: ReplySource[];
  /** All content before this batch was reasoning; the batch's reasoning and content follow it. */
  restarted?: boolean;
}
