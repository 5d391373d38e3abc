import { toUSVString } from 'node:util';

/** As much as is kept of a finish reason, which is a word as a rule. UTF-16 code units. */
const MAX_LENGTH = 64;
/** Python's, JSON's, Go's and Gemini's way to write that there is none. */
const NONE = /^\s*(?:null|none|nil|undefined|finish_reason_unspecified)?\s*$/i;
/** Also Gemini's (`SAFETY`, `content_filter: RECITATION`), Zhipu's, Anthropic's and Bedrock's. */
const FILTERED =
  /content_?filter|sensitive|safety|prohibited|blocklist|blocked|recitation|spii|guardrail|moderation|toxic|refus|censor|inspection|risk|policy/i;
/** Also Zhipu's `network_error`, DeepSeek's `insufficient_system_resource` and vLLM's `abort`. */
const FAILED =
  /error|abort|cancell?ed|fail|exception|interrupted|time_?out|overload|unavailable|insufficient_system_resource/i;
const CUT_SHORT = /length|max_?(?:output_?|completion_?)?tokens/i;
const TOOL_REQUEST = /tool|function/i;

export type FinishKind = 'well' | 'filtered' | 'failed';

/** A finish reason as it is shown; undefined where the provider gave none. */
export function readFinishReason(reason: unknown): string | undefined {
  if (typeof reason !== 'string' || NONE.test(reason)) return undefined;
  return toUSVString(reason.slice(0, MAX_LENGTH)).replaceAll('\0', '\ufffd');
}

export function finishKindOf(reason: string): FinishKind {
  if (FILTERED.test(reason)) return 'filtered';
  return FAILED.test(reason) ? 'failed' : 'well';
}

/** Describes a reply that ended without any text. */
export function emptyReplySentence(
  reason: string | undefined,
  { askedForTool, thought }: { askedForTool: boolean; thought: boolean },
): string {
  if (askedForTool || TOOL_REQUEST.test(reason ?? '')) {
    return 'The model asked for a tool, which Parley does not have, and said nothing.';
  }
  if (CUT_SHORT.test(reason ?? '')) {
    return 'The model spent its whole allowance of tokens on thinking, and said nothing: raise max_tokens.';
  }
  return thought
    ? 'The model said nothing after its thinking.'
    : 'The model said nothing: the provider ended the reply without any text.';
}
