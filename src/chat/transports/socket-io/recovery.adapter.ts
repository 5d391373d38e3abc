import { Adapter, type Session } from 'socket.io-adapter';
import type { SocketData } from './chat-socket.js';

/** How long a socket's state is kept for its client to come back (Socket.IO's connection state recovery). */
export const RECOVERY_MS = 2 * 60_000;

interface KeptSession {
  session: Omit<Session, 'missedPackets'>;
  expiresAt: number;
}

/** Whether a user's socket can still be brought up from where it stood. */
export type CanReplay = (userId: number, offset: string, opened: number[]) => boolean;

/**
 * Keeps who was connected, and to what, for a client that loses its connection. What it misses is not kept here, as
 * Socket.IO's own adapter does: that one sends it before the client's token is looked at, and loses what happens while
 * it is. ChatSockets sends it, once the client is admitted.
 */
export class RecoveryAdapter extends Adapter {
  canReplay: CanReplay = () => false;
  private readonly kept = new Map<string, KeptSession>();

  override persistSession({ sid, pid, data }: KeptSession['session']): void {
    this.forgetExpired();
    const { userId, client } = data as SocketData;
    // Only what a recovered socket needs, so that nothing else of the old one stays in memory.
    this.kept.set(pid, {
      session: { sid, pid, rooms: [], data: { userId, opened: client.openConversations } },
      expiresAt: Date.now() + RECOVERY_MS,
    });
  }

  /** Of one use, so that two connections never have one socket's id. Null where the client has to begin anew. */
  override restoreSession(pid: string, offset: string): Promise<Session> {
    this.forgetExpired();
    const session = this.kept.get(pid)?.session;
    this.kept.delete(pid);
    const { userId, opened = [] } = (session?.data ?? {}) as Partial<SocketData>;
    const recoverable = session && this.canReplay(userId!, offset, opened);
    return Promise.resolve(recoverable ? { ...session, missedPackets: [] } : NOT_RECOVERED);
  }

  /** They are in the order in which they expire. */
  private forgetExpired(): void {
    const now = Date.now();
    for (const [pid, { expiresAt }] of this.kept) {
      if (expiresAt > now) break;
      this.kept.delete(pid);
    }
  }
}

/** Socket.IO's own adapter answers so, against its type. */
const NOT_RECOVERED = null as never;
