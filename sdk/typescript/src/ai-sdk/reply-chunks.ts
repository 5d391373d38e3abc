import type { UIMessageChunk } from 'ai' with { 'resolution-mode': 'import' };
import type { ChatMessage } from '../conversations/chat-message.js';
import type { Message } from '../rest/types.gen.js';
import { closingParts, metadataOf } from './ui-messages.js';

type FinishReason = Extract<UIMessageChunk, { type: 'finish' }>['finishReason'];
type Kind = 'reasoning' | 'text';

const FINISH_REASONS: Partial<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  content_filter: 'content-filter',
  tool_calls: 'tool-calls',
};

/** Turns the successive states of one reply into chunks, each time into what is new. */
export class ReplyChunks {
  private started = false;
  private open: Kind | null = null;
  private sent: Record<Kind, string> = { reasoning: '', text: '' };

  next(message: Message | ChatMessage): UIMessageChunk[] {
    return [
      ...this.start(message),
      ...this.restart(message),
      ...this.grow('reasoning', message.reasoning),
      ...this.grow('text', message.content),
      ...(message.status === 'streaming' ? [] : this.finish(message)),
    ];
  }

  private start(message: Message | ChatMessage): UIMessageChunk[] {
    if (this.started) return [];
    this.started = true;
    return [{ type: 'start', messageId: String(message.id), messageMetadata: metadataOf(message) }];
  }

  /** A reply that was started again (`message.restarted`) has another text. */
  private restart({ reasoning, content }: Message | ChatMessage): UIMessageChunk[] {
    const { sent } = this;
    if (reasoning.startsWith(sent.reasoning) && content.startsWith(sent.text)) return [];
    this.open = null;
    this.sent = { reasoning: '', text: '' };
    return [{ type: 'reset-step' }];
  }

  private grow(kind: Kind, text: string): UIMessageChunk[] {
    const delta = text.slice(this.sent[kind].length);
    if (!delta) return [];
    this.sent[kind] = text;
    const begin: UIMessageChunk[] =
      this.open === kind ? [] : [...this.end(), { type: `${kind}-start`, id: kind }];
    this.open = kind;
    return [...begin, { type: `${kind}-delta`, id: kind, delta }];
  }

  private end(): UIMessageChunk[] {
    return this.open ? [{ type: `${this.open}-end`, id: this.open }] : [];
  }

  private finish(message: Message | ChatMessage): UIMessageChunk[] {
    const { error, status, finish_reason } = message;
    const messageMetadata = metadataOf(message);
    const closing = [...this.end(), ...closingParts(message)];
    if (error) {
      return [
        ...closing,
        { type: 'message-metadata', messageMetadata },
        { type: 'error', errorText: error.detail },
      ];
    }
    const finishReason =
      status === 'complete' ? (FINISH_REASONS[finish_reason ?? ''] ?? 'other') : 'interrupted';
    return [...closing, { type: 'finish', finishReason, messageMetadata }];
  }
}
