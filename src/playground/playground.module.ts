import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import express, { type Application } from 'express';

const FOLDER = join(import.meta.dirname, 'public');

/** Serves the playground at `/`: static files that use the public API. */
@Module({})
export class PlaygroundModule implements OnModuleInit {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** Registers a route per file, after Nest's own, so that wrong methods get 405 and no API route is hidden. */
  onModuleInit(): void {
    const application = this.adapterHost.httpAdapter.getInstance<Application>();
    const files = express.static(FOLDER, {
      redirect: false,
      // Cacheable, unlike API responses, but revalidated.
      setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
    });
    for (const name of ['', ...readdirSync(FOLDER)]) application.get(`/${name}`, files);
  }
}
