import { Adapter, type Session } from 'socket.io-adapter';
import type { SocketData } from './chat-socket.js';

/** How long a socket can be recovered (Socket.IO's connection state recovery). */
export const RECOVERY_MS = 2 * 60_000;

interface KeptSession {
  session: Omit<Session, 'missedPackets'>;
  expiresAt: number;
}

/** Whether all events since an offset can still be replayed. */
export type CanReplay = (userId: number, offset: string, opened: number[]) => boolean;

/**
 * Keeps the user and the open conversations of disconnected sockets. Socket.IO's own adapter also keeps missed packets,
 * sends them before authentication, and loses packets sent during it. SocketLifecycle replays events instead, after
 * authentication.
 */
export class RecoveryAdapter extends Adapter {
  canReplay: CanReplay = () => false;
  private readonly kept = new Map<string, KeptSession>();

  override persistSession({ sid, pid, data }: KeptSession['session']): void {
    this.forgetExpired();
    const { userId, client } = data as SocketData;
    // Copied, so that the old socket is not kept in memory.
    this.kept.set(pid, {
      session: { sid, pid, rooms: [], data: { userId, opened: client.openConversations } },
      expiresAt: Date.now() + RECOVERY_MS,
    });
  }

  /** Restores a session once, so that two connections never share a socket id. Null if it cannot be recovered. */
  override restoreSession(pid: string, offset: string): Promise<Session> {
    this.forgetExpired();
    const session = this.kept.get(pid)?.session;
    this.kept.delete(pid);
    const { userId, opened = [] } = (session?.data ?? {}) as Partial<SocketData>;
    const recoverable = session && this.canReplay(userId!, offset, opened);
    return Promise.resolve(recoverable ? { ...session, missedPackets: [] } : NOT_RECOVERED);
  }

  /** Sessions are in the order of their expiry. */
  private forgetExpired(): void {
    const now = Date.now();
    for (const [pid, { expiresAt }] of this.kept) {
      if (expiresAt > now) break;
      this.kept.delete(pid);
    }
  }
}

/** Socket.IO's own adapter returns null too, against its type. */
const NOT_RECOVERED = null as never;
