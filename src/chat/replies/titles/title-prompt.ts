import type { PromptMessage } from '../../../ai/provider/provider.js';
import type { MessageDto } from '../../../conversations/messages/message.dto.js';

/** Asks for a title in the conversation's language. */
export const TITLE_PROMPT =
  'Write a title for the conversation below: at most six words, in the language of the conversation, ' +
  'without quotes or a full stop. Answer with the title alone.';
/** UTF-16 code units of each message in the prompt. */
const MAX_EXCERPT_LENGTH = 2000;

/** A user message and its complete reply. */
export interface TitleSource {
  userMessage: MessageDto;
  reply: MessageDto;
}

export function titlePromptFor({ userMessage, reply }: TitleSource): PromptMessage[] {
  const content = `${TITLE_PROMPT}\n\nUser: ${excerptOf(userMessage)}\n\nAssistant: ${excerptOf(reply)}`;
  return [{ role: 'user', content }];
}

function excerptOf({ content }: MessageDto): string {
  return content.slice(0, MAX_EXCERPT_LENGTH).toWellFormed();
}
