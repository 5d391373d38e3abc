import { Injectable, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** A connection is closed when no buffered byte was sent for this long. */
const STALL_MS = 10_000;
const CHECK_INTERVAL_MS = 1_000;

interface Progress {
  taken: number;
  since: number;
}

/**
 * Closes connections whose client has stopped reading, of every transport and of plain HTTP. {@link Backpressure} limits
 * what is buffered until then.
 */
@Injectable()
export class StalledConnections implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly connections = new Set<Socket>();
  /** At the last check with buffered bytes. */
  private readonly progress = new Map<Socket, Progress>();
  /** One listener for all connections, called with the connection as `this`. */
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

  /** Called again for a connection whose request is served without its `Upgrade`. */
  watch(connection: Socket): void {
    if (this.connections.has(connection)) return;
    this.connections.add(connection);
    connection.on('close', this.forget);
  }

  private check(): void {
    const now = performance.now();
    for (const connection of this.connections) {
      if (connection.writableLength === 0) continue;
      const before = this.progress.get(connection);
      const taken = takenFrom(connection);
      if (taken !== before?.taken) this.progress.set(connection, { taken, since: now });
      else if (now - before.since >= STALL_MS) connection.destroy();
    }
  }
}

function forgetterOf(...collections: { delete(connection: Socket): boolean }[]) {
  return function forget(this: Socket): void {
    for (const collection of collections) collection.delete(this);
  };
}

/**
 * The bytes that the kernel has taken. `bytesWritten` counts a long write only when it is complete; its progress is in
 * the private `_handle.writeQueueSize`, which Node's own socket timeout reads too.
 */
function takenFrom(connection: Socket): number {
  const { _handle } = connection as unknown as { _handle: { writeQueueSize: number } | null };
  return connection.bytesWritten - connection.writableLength - (_handle?.writeQueueSize ?? 0);
}
