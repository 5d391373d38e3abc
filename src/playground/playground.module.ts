import { join } from 'node:path';
import { Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ExpressAdapter } from '@nestjs/platform-express';

/** The page at `/`: static files that use the API as any other client does. */
@Module({})
export class PlaygroundModule implements OnModuleInit {
  constructor(private readonly adapterHost: HttpAdapterHost<ExpressAdapter>) {}

  /** Nest has registered its routes by now, so that no file can hide one. */
  onModuleInit(): void {
    this.adapterHost.httpAdapter.useStaticAssets(join(import.meta.dirname, 'public'), {
      redirect: false,
      // Unlike the API's answers these may be kept, and are asked for again only if they have changed.
      setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
    });
  }
}
