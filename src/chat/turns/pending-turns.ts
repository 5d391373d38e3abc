import { Injectable } from '@nestjs/common';

interface PendingTurn {
  clientMessageId: string | null;
  result: Promise<unknown>;
  /** Resolves when `result` settles. */
  settled: Promise<unknown>;
}

/**
 * Turns that are being started in this process. Their messages may be stored while their reply does not run yet, so
 * stops, deletions and repeats wait for them.
 */
@Injectable()
export class PendingTurns {
  private readonly pending = new Map<number, Set<PendingTurn>>();

  /** @param start settles when the reply runs or the turn is refused */
  async track<T>(
    conversationId: number,
    clientMessageId: string | null,
    start: () => Promise<T>,
  ): Promise<T> {
    const result = start();
    const turn = { clientMessageId, result, settled: result.catch(() => undefined) };
    const turns = this.pending.get(conversationId) ?? new Set();
    this.pending.set(conversationId, turns.add(turn));
    try {
      return await result;
    } finally {
      turns.delete(turn);
      if (turns.size === 0) this.pending.delete(conversationId);
    }
  }

  /** Resolves when the conversation's pending turns have settled. */
  async settled(conversationId: number): Promise<void> {
    await Promise.all([...(this.pending.get(conversationId) ?? [])].map(({ settled }) => settled));
  }

  /**
   * Finds a pending turn with the same client_message_id. Its promise rejects as that turn does, so that repeats fail
   * together while the database is unavailable, instead of one after the other.
   */
  findRepeated(conversationId: number, clientMessageId: string | null): Promise<unknown> | undefined {
    if (clientMessageId === null) return undefined;
    const turns = [...(this.pending.get(conversationId) ?? [])];
    return turns.find((turn) => turn.clientMessageId === clientMessageId)?.result;
  }
}
