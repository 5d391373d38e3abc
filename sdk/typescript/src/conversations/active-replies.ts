import { ParleyError } from '../error.js';
import { withTimeout } from '../http/timeout.js';
import type { Message, Rest } from '../rest/index.js';
import { type Branch, findMessage } from './branch.js';
import type { Reply } from './reply.js';
import type { Draft } from './outbox.js';
import type { TurnRequests } from './turn-requests.js';

/** The replies of one conversation that somebody waits for. */
export class ActiveReplies {
  private readonly replies = new Map<Reply, Draft | null>();
  /** Regenerated replies that are being read. */
  private readonly sought = new Set<Reply>();

  /** @param onEnd called after each reply's end */
  constructor(
    private readonly conversationId: number,
    private readonly requests: TurnRequests,
    private readonly onEnd: () => void,
  ) {}

  get isEmpty(): boolean {
    return this.replies.size === 0;
  }

  /** @param draft the message that the reply answers; null for a regenerated reply */
  add(reply: Reply, draft: Draft | null): void {
    this.replies.set(reply, draft);
    const end = () => {
      this.replies.delete(reply);
      this.onEnd();
    };
    reply.done.then(end, end);
  }

  update(branch: Branch): void {
    for (const reply of this.replies.keys()) {
      const message = reply.id === null ? undefined : findMessage(branch, reply.id);
      if (message) reply.update(message);
    }
  }

  /** A reply that has ended, on whichever branch. */
  complete(message: Message): void {
    for (const reply of this.replies.keys()) if (reply.id === message.id) reply.update(message);
  }

  /** Finds replies that left the active branch unseen, after it was read again. */
  findMissing(branch: Branch): void {
    for (const [reply, draft] of this.replies) {
      if (reply.id === null) continue;
      // A regenerated reply that is known to run beside the branch may have ended unseen.
      const isKnown = draft
        ? findMessage(branch, reply.id)
        : branch.messages.some(({ id }) => id === reply.id);
      if (!isKnown) void this.find(reply, draft);
    }
  }

  fail(error: ParleyError): void {
    for (const reply of this.replies.keys()) reply.fail(error);
  }

  /** Repeating a send returns its reply; a regenerate cannot be repeated, so its reply is read by its id. */
  private async find(reply: Reply, draft: Draft | null): Promise<void> {
    if (!draft) return this.findById(reply);
    const found = await this.requests.request(draft, () => undefined).catch(() => null);
    if (found) reply.update(found.assistant_message);
  }

  private async findById(reply: Reply): Promise<void> {
    if (this.sought.has(reply)) return;
    this.sought.add(reply);
    try {
      await this.requests.followReply(this.conversationId, reply.id!);
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'reply_lost') reply.fail(error);
    } finally {
      this.sought.delete(reply);
    }
  }
}

/** @returns the stopped reply, or null when none runs */
export async function stopReply(rest: Rest, id: number): Promise<Message | null> {
  try {
    return await withTimeout((signal) => rest.stopReply({ path: { id }, signal }));
  } catch (error) {
    if (error instanceof ParleyError && error.code === 'no_reply_running') return null;
    throw error;
  }
}
