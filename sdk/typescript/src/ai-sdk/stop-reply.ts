import type { Conversation } from '../conversations/conversation.js';
import { ParleyError } from '../error.js';
import type { Parley } from '../parley.js';
import { delay } from '../platform/clock.js';

const MAX_TRIES = 10;
const RETRY_MS = 500;
const LIVE_WITHIN_MS = 60_000;

/** Stops a reply, once the server can be reached. A later reply of the conversation goes on. */
export async function stopReply(parley: Parley, conversation: Conversation, replyId: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      if (tries === 1 || (await runningId(parley, conversation.id)) === replyId) await conversation.stop();
      return;
    } catch (error) {
      const isOffline = error instanceof ParleyError && error.code === 'network_error';
      if (!isOffline || tries === MAX_TRIES) throw error;
    }
    await delay(RETRY_MS);
    await parley.connection.whenLive(LIVE_WITHIN_MS);
  }
}

async function runningId(parley: Parley, id: number): Promise<number | null> {
  const { messages } = await parley.rest.getConversation({ path: { id }, query: { limit: 1 } });
  const last = messages.at(-1);
  return last?.status === 'streaming' ? last.id : null;
}
