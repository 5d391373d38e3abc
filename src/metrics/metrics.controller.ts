import { Controller, Get, Header, Req } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import type { Request } from 'express';
import ipaddr from 'ipaddr.js';
import { Public } from '../auth/public.decorator.js';
import { NotFoundError } from '../common/errors/errors.js';
import { Settings } from '../env/settings.js';
import { Metrics, METRICS_HEADERS } from './metrics.js';

const INSIDE = new Set(['loopback', 'private', 'uniqueLocal', 'linkLocal']);

/** Metrics for Prometheus; in production for private addresses only. */
@Controller('metrics')
@ApiExcludeController()
@Public()
@SkipThrottle()
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly settings: Settings,
  ) {}

  @Get()
  @Header('Content-Type', METRICS_HEADERS['Content-Type'])
  @Header('Cache-Control', METRICS_HEADERS['Cache-Control'])
  read(@Req() request: Request): Promise<string> {
    if (this.settings.production && !isFromInside(request)) throw new NotFoundError();
    return this.metrics.registry.metrics();
  }
}

/** A request forwarded by an untrusted proxy has an unknown origin, and is refused. */
function isFromInside(request: Request): boolean {
  const { ip, socket, headers } = request;
  const forwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  if (!ip || (forwarded && ip === socket.remoteAddress)) return false;
  return ipaddr.isValid(ip) && INSIDE.has(ipaddr.process(ip).range());
}
