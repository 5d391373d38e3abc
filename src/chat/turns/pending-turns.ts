import { Injectable } from '@nestjs/common';

interface Beginning {
  clientMessageId: string | null;
  result: Promise<unknown>;
  /** Never rejects. */
  over: Promise<unknown>;
}

/**
 * Exchanges that this process is about to begin. What is stored already but does not run yet is seen by nobody else, so
 * that who would end it (stop, delete), or repeat it, waits here until it does.
 */
@Injectable()
export class PendingTurns {
  private readonly underWay = new Map<number, Set<Beginning>>();

  /** @param begin is not done before the reply runs, or is refused */
  async track<T>(
    conversationId: number,
    clientMessageId: string | null,
    begin: () => Promise<T>,
  ): Promise<T> {
    const result = begin();
    const beginning = { clientMessageId, result, over: result.catch(() => undefined) };
    const all = this.underWay.get(conversationId) ?? new Set();
    this.underWay.set(conversationId, all.add(beginning));
    try {
      return await result;
    } finally {
      all.delete(beginning);
      if (all.size === 0) this.underWay.delete(conversationId);
    }
  }

  /** Waits for all that a conversation's users are beginning. */
  async settled(conversationId: number): Promise<void> {
    await Promise.all([...(this.underWay.get(conversationId) ?? [])].map(({ over }) => over));
  }

  /**
   * The earlier send with the same id, where one is under way. It resolves once there is something to repeat, and
   * rejects as that send did: sends that wait for a database that is away do not try it one after the other.
   */
  findRepeated(conversationId: number, clientMessageId: string | null): Promise<unknown> | undefined {
    if (clientMessageId === null) return undefined;
    const all = [...(this.underWay.get(conversationId) ?? [])];
    return all.find((beginning) => beginning.clientMessageId === clientMessageId)?.result;
  }
}
