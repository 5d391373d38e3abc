import { Injectable, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** A connection that takes nothing of what waits for it is cut after this. */
const STALL_MS = 10_000;
const CHECK_INTERVAL_MS = 1_000;

interface Progress {
  taken: number;
  since: number;
}

/**
 * Cuts connections whose client has stopped reading, so that nothing waits on them for ever: of whichever transport, since
 * an answer that is never read is kept in memory too. What may wait until then is bounded by {@link Backlog}.
 */
@Injectable()
export class StalledConnections implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly connections = new Set<Socket>();
  /** Of those for which something waits. */
  private readonly progress = new Map<Socket, Progress>();
  /** One for all of them, each of which is its `this`. */
  private readonly forget = forgetterOf(this.connections, this.progress);
  private readonly timer = setInterval(() => this.check(), CHECK_INTERVAL_MS).unref();

  constructor(private readonly host: HttpAdapterHost) {}

  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    server.on('connection', (connection) => this.watch(connection));
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Also called for a connection whose request is served again without its `Upgrade`. */
  watch(connection: Socket): void {
    if (this.connections.has(connection)) return;
    this.connections.add(connection);
    connection.on('close', this.forget);
  }

  private check(): void {
    const now = performance.now();
    for (const connection of this.connections) {
      if (connection.writableLength === 0) {
        this.progress.delete(connection);
        continue;
      }
      const before = this.progress.get(connection);
      const taken = takenFrom(connection);
      if (taken !== before?.taken) this.progress.set(connection, { taken, since: now });
      else if (now - before.since >= STALL_MS) connection.destroy();
    }
  }
}

function forgetterOf(...places: { delete(connection: Socket): boolean }[]) {
  return function forget(this: Socket): void {
    for (const place of places) place.delete(this);
  };
}

/**
 * What changes whenever the client takes something. Node counts a write when it is done with the whole of it, which
 * says nothing of how a long one gets on: that is in the handle's queue, which Node's own time-outs look at as well.
 */
function takenFrom(connection: Socket): number {
  const { _handle } = connection as unknown as { _handle: { writeQueueSize: number } | null };
  return connection.bytesWritten - connection.writableLength - (_handle?.writeQueueSize ?? 0);
}
