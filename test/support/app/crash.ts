import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Server } from 'node:http';
import { DataSource } from 'typeorm';
import { ChatSockets } from '../../../src/chat/transports/socket-io/chat-sockets.js';
import { Reaper } from '../../../src/chat/replies/recovery/reaper.js';
import { ReplyEngine } from '../../../src/chat/replies/reply-engine.js';
import { ReplyStore } from '../../../src/chat/replies/reply-store.js';
import { ReplyAborted } from '../../../src/chat/replies/reply.js';
import { WebSocketClients } from '../../../src/chat/transports/websocket/websocket-clients.js';

/**
 * What `kill -9` does, as near as an application that shares its process with the test can come to it: from here on it
 * writes nothing, shows no life, and all its connections are gone. None of its shutdown hooks runs.
 */
export async function crash(app: NestExpressApplication): Promise<void> {
  app.get(Reaper).onApplicationShutdown();
  freeze(app.get(ReplyStore));
  const server = app.getHttpServer() as Server;
  server.close();
  server.closeAllConnections();
  app.get(ChatSockets).closeAll();
  app.get(WebSocketClients).closeAll();
  const engine = app.get(ReplyEngine);
  for (const reply of engine.all()) reply.abort.abort(new ReplyAborted('interrupted'));
  await app.get(DataSource).destroy();
}

/** Whatever is asked of it is never answered. */
function freeze(store: ReplyStore): void {
  for (const name of Object.getOwnPropertyNames(ReplyStore.prototype)) {
    if (name !== 'constructor') Object.assign(store, { [name]: () => new Promise(() => undefined) });
  }
}
