import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Server } from 'node:http';
import { DataSource } from 'typeorm';
import { SessionSweep } from '../../../src/auth/sessions/session-sweep.service.js';
import { SocketLifecycle } from '../../../src/chat/transports/socket-io/socket-lifecycle.js';
import { Heartbeat } from '../../../src/chat/replies/recovery/heartbeat.js';
import { ReplyRecovery } from '../../../src/chat/replies/recovery/reply-recovery.js';
import { ReplyEngine } from '../../../src/chat/replies/reply-engine.js';
import { MailQueue } from '../../../src/mail/mail-queue.service.js';
import { ReplyRepository } from '../../../src/chat/replies/reply-repository.js';
import { WebSocketClients } from '../../../src/chat/transports/websocket/websocket-clients.js';

/**
 * Simulates `kill -9` for an app in the test's process: it stops writing, stops its timers, and drops its connections.
 * No other shutdown hook runs.
 */
export async function crash(app: NestExpressApplication): Promise<void> {
  app.get(Heartbeat).onApplicationShutdown();
  app.get(ReplyRecovery).onApplicationShutdown();
  // Would report the closed database in the log of a later test file.
  app.get(SessionSweep).onApplicationShutdown();
  await app.get(MailQueue).beforeApplicationShutdown();
  freeze(app.get(ReplyRepository));
  const server = app.getHttpServer() as Server;
  server.close();
  server.closeAllConnections();
  app.get(SocketLifecycle).closeAll();
  app.get(WebSocketClients).closeAll();
  const engine = app.get(ReplyEngine);
  for (const reply of engine.all()) reply.abort('interrupted');
  await app.get(DataSource).destroy();
}

/** Makes every method return a promise that never settles. */
function freeze(store: ReplyRepository): void {
  for (const name of Object.getOwnPropertyNames(ReplyRepository.prototype)) {
    if (name !== 'constructor') Object.assign(store, { [name]: () => new Promise(() => undefined) });
  }
}
