import { isTemporary } from '../http/retries.js';
import { withTimeout } from '../http/timeout.js';
import { Backoff } from '../platform/backoff.js';
import { delay } from '../platform/clock.js';
import type { ConversationPage, Rest, Turn } from '../rest/index.js';
import type { RegenerateRequest, TurnRequests } from './turn-requests.js';

export interface RegenerateContext {
  rest: Rest;
  requests: TurnRequests;
  /** The highest message id that is known, 0 before the conversation was read. */
  newestId: number;
  /** Whether nobody waits for the reply any more. */
  isOver(): boolean;
}

/**
 * Requests another reply until the server answers. No id makes the request safe to repeat: after a lost answer, the
 * conversation is read first, to find the reply that the lost request began.
 * @param messageId a reply, by default the last one
 * @param onTurn called with the turn before any later event is handled
 */
export async function regenerate(
  body: Omit<RegenerateRequest['body'], 'message_id'>,
  messageId: number | undefined,
  context: RegenerateContext,
  onTurn: (turn: Turn) => void,
): Promise<Turn> {
  const { conversation_id: id } = body;
  const read = () => withTimeout((signal) => context.rest.getConversation({ path: { id }, signal }));
  let { newestId } = context;
  const target = async () => {
    const page = await read();
    newestId = newestOf(page);
    return messageId ?? page.messages.at(-1)?.id ?? 0;
  };
  const message_id = messageId && newestId ? messageId : await untilAnswered(target, context);
  let isRepeat = false;
  return untilAnswered(async () => {
    const found = isRepeat ? findReply(await read(), message_id, newestId) : null;
    if (found) onTurn(found);
    isRepeat = true;
    return (
      found ?? context.requests.request({ command: 'chat.regenerate', body: { ...body, message_id } }, onTurn)
    );
  }, context);
}

async function untilAnswered<T>(attempt: () => Promise<T>, { isOver }: RegenerateContext): Promise<T> {
  const backoff = new Backoff(500, 10_000);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (isOver() || !isTemporary(error) || error.code === 'reply_in_progress') throw error;
      await delay(backoff.nextMs(error.retryAfter));
    }
  }
}

const newestOf = ({ messages }: ConversationPage) =>
  Math.max(0, ...messages.flatMap(({ id, sibling_ids }) => [id, ...sibling_ids]));

/** A reply to the same message that was not known before. */
function findReply({ messages }: ConversationPage, messageId: number, newestId: number): Turn | null {
  const reply = messages.find(({ id, sibling_ids }) => id > newestId && sibling_ids.includes(messageId));
  const asked = messages.find(({ id }) => id === reply?.parent_id);
  return reply && asked ? { user_message: asked, assistant_message: reply } : null;
}
