import type { PromptMessage, CompletionBatch, ReplySource, TokenUsage } from '../../ai/provider/provider.js';
import type { ActiveReply } from './active-reply.js';
import type { FinalReply } from './reply-end-records.js';
import { usageColumns } from './reply-repository.js';
import { estimateUsage } from '../../usage/estimated-usage.js';

/** How a run ended, and what the provider reported beside the text. */
export interface Outcome {
  status: FinalReply['status'];
  finishReason?: string;
  usage?: TokenUsage;
  /** All sources named so far. */
  sources?: ReplySource[];
  error?: { code: string; detail: string };
}

export function updateOutcome(outcome: Outcome, { finishReason, usage, sources }: CompletionBatch): void {
  if (finishReason) outcome.finishReason = finishReason;
  if (usage) outcome.usage = usage;
  if (sources) outcome.sources = sources;
}

export async function finalReply(
  { content, reasoning }: ActiveReply,
  prompt: PromptMessage[],
  { status, finishReason, error, usage, sources }: Outcome,
): Promise<FinalReply> {
  const reported = usage && { ...usage, estimated: false };
  return {
    status,
    content,
    reasoning,
    finishReason: finishReason ?? null,
    errorCode: error?.code ?? null,
    errorDetail: error?.detail ?? null,
    ...usageColumns(reported ?? (await estimateUsage(prompt, reasoning + content))),
    sources: sources ?? null,
    completedAt: new Date(),
  };
}
