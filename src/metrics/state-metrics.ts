import { Injectable, OnModuleInit } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { ChatLoad } from '../chat/chat-load.js';
import { Heartbeat } from '../chat/replies/recovery/heartbeat.js';
import { RemoteReplies } from '../chat/streams/remote-replies.js';
import { Settings } from '../env/settings.js';
import { Metrics } from './metrics.js';

/** Beats are stored once a second. */
const DATABASE_DOWN_AFTER_MS = 5000;

/** Reads at each scrape how this node stands. */
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
    this.showReplies();
    this.showConnections();
    this.showDependencies();
  }

  private showReplies(): void {
    const { load } = this;
    this.gauge('parley_replies_running', 'Replies that this node streams now.', () => load.runningReplies);
    const ending = 'Replies that have ended, and whose end is not stored yet.';
    this.gauge('parley_replies_ending', ending, () => load.endsWaiting);
    const unsaved = 'Reply text, in UTF-16, that is in memory alone: it waits for its next write.';
    this.gauge('parley_reply_unflushed_bytes', unsaved, () => 2 * load.unsavedLength);
    const oldest = 'How long the oldest reply text that is in memory alone has waited, at most.';
    this.gauge('parley_reply_unflushed_seconds', oldest, () => load.unsavedSeconds);
  }

  private showConnections(): void {
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

  private showDependencies(): void {
    const { heartbeat, remote } = this;
    const age = 'Since the database last took this node’s sign of life.';
    this.gauge('parley_heartbeat_age_seconds', age, () => heartbeat.silentMs / 1000);
    const database = 'Whether the database takes writes: 1, or 0.';
    this.gauge('parley_database_up', database, () => Number(heartbeat.silentMs < DATABASE_DOWN_AFTER_MS));
    if (this.settings.redisUrl === undefined) return;
    this.gauge('parley_redis_up', 'Whether Redis is connected: 1, or 0.', () => Number(remote.isConnected));
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
