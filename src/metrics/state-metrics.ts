import { Injectable, OnModuleInit } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { ChatLoad } from '../chat/chat-load.js';
import { Heartbeat } from '../chat/replies/recovery/heartbeat.js';
import { RemoteReplies } from '../chat/streams/remote-replies.js';
import { Settings } from '../env/settings.js';
import { Metrics } from './metrics.js';

/** Heartbeats are stored once a second. */
const DATABASE_DOWN_AFTER_MS = 5000;

/** Reads the node's state at each scrape. */
@Injectable()
export class StateMetrics implements OnModuleInit {
  constructor(
    private readonly metrics: Metrics,
    private readonly load: ChatLoad,
    private readonly heartbeat: Heartbeat,
    private readonly remote: RemoteReplies,
    private readonly settings: Settings,
  ) {}

  onModuleInit(): void {
    this.registerReplies();
    this.registerConnections();
    this.registerDependencies();
  }

  private registerReplies(): void {
    const { load } = this;
    this.gauge('parley_replies_running', 'Replies that this node is streaming.', () => load.runningReplies);
    const ending = 'Replies that have ended, with the end not stored yet.';
    this.gauge('parley_replies_ending', ending, () => load.endsWaiting);
    const unsaved = 'Reply text, in UTF-16, that is not stored yet.';
    this.gauge('parley_reply_unflushed_bytes', unsaved, () => 2 * load.unsavedLength);
    const oldest = 'Maximum age of reply text that is not stored yet.';
    this.gauge('parley_reply_unflushed_seconds', oldest, () => load.unsavedSeconds);
  }

  private registerConnections(): void {
    const { load, metrics } = this;
    new Gauge({
      name: 'parley_sockets_connected',
      help: 'Open connections: socketio, websocket or sse.',
      labelNames: ['transport'],
      registers: metrics.registers,
      collect() {
        for (const [transport, count] of Object.entries(load.connections)) this.set({ transport }, count);
      },
    });
  }

  private registerDependencies(): void {
    const { heartbeat, remote } = this;
    const age = 'Since the last stored heartbeat of this node.';
    this.gauge('parley_heartbeat_age_seconds', age, () => heartbeat.silentMs / 1000);
    const database = '1 if the database accepts writes, else 0.';
    this.gauge('parley_database_up', database, () => Number(heartbeat.silentMs < DATABASE_DOWN_AFTER_MS));
    if (this.settings.redisUrl === undefined) return;
    this.gauge('parley_redis_up', '1 if Redis is connected, else 0.', () => Number(remote.isConnected));
  }

  private gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: this.metrics.registers,
      collect() {
        this.set(read());
      },
    });
  }
}
