import { Injectable, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Settings } from '../env/settings.js';
import { Metrics, METRICS_HEADERS } from './metrics.js';

/** Serves `/metrics` on METRICS_PORT to any address, for scraping each node past the load balancer. */
@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private server?: Server;

  constructor(
    private readonly metrics: Metrics,
    private readonly settings: Settings,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { metricsPort, host } = this.settings;
    if (metricsPort === undefined) return;
    this.server = createServer((request, response) => void this.respond(request, response));
    await once(this.server.listen(metricsPort, host), 'listening');
  }

  /** The last hook of a shutdown, so that a node is observed while its replies end. */
  onApplicationShutdown(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  /** @returns null before the server listens, and without METRICS_PORT */
  get port(): number | null {
    const address = this.server?.address();
    return address && typeof address === 'object' ? address.port : null;
  }

  private async respond({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (url?.split('?')[0] !== '/metrics') return void response.writeHead(404).end();
    if (method !== 'GET' && method !== 'HEAD')
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    response.writeHead(200, METRICS_HEADERS).end(await this.metrics.registry.metrics());
  }
}
