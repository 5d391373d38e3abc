/** Longer finish reasons are cut. UTF-16 code units. */
const MAX_LENGTH = 64;
/** "None" in Python, JSON, Go and Gemini. */
const NONE = /^(?:null|none|nil|undefined|finish_reason_unspecified)?$/i;
/** Includes Gemini (`SAFETY`, `content_filter: RECITATION`), Zhipu, Anthropic and Bedrock. */
const FILTERED =
  /content_?filter|sensitive|safety|prohibited|blocklist|blocked|recitation|spii|guardrail|moderation|toxic|refus|censor|inspection|risk|policy/i;
/** Includes Zhipu (`network_error`), DeepSeek (`insufficient_system_resource`) and vLLM (`abort`). */
const FAILED =
  /error|abort|cancell?ed|fail|exception|interrupted|time_?out|overload|unavailable|insufficient_system_resource/i;
const CUT_SHORT = /length|max_?(?:output_?|completion_?)?tokens/i;
const TOOL_REQUEST = /tool|function/i;

export type FinishKind = 'well' | 'filtered' | 'failed';

/** Cleans a finish reason for display; undefined if the provider gave none. */
export function readFinishReason(reason: unknown): string | undefined {
  if (typeof reason !== 'string' || NONE.test(reason.trim())) return undefined;
  return reason.slice(0, MAX_LENGTH).toWellFormed().replaceAll('\0', '\ufffd');
}

export function finishKindOf(reason: string): FinishKind {
  if (FILTERED.test(reason)) return 'filtered';
  return FAILED.test(reason) ? 'failed' : 'well';
}

/** Describes a reply without text. */
export function emptyReplySentence(
  reason: string | undefined,
  { requestedTool, hasReasoning }: { requestedTool: boolean; hasReasoning: boolean },
): string {
  if (requestedTool || TOOL_REQUEST.test(reason ?? '')) {
    return 'The model asked for a tool, which Parley does not have, and said nothing.';
  }
  if (CUT_SHORT.test(reason ?? '')) {
    return 'The model spent its whole allowance of tokens on thinking, and said nothing: raise max_tokens.';
  }
  return hasReasoning
    ? 'The model said nothing after its thinking.'
    : 'The model said nothing: the provider ended the reply without any text.';
}
