import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import express, { type Application } from 'express';

const FOLDER = join(import.meta.dirname, 'public');

/** The page at `/`: static files that use the API as any other client does. */
@Module({})
export class PlaygroundModule implements OnModuleInit {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** Each file is a route, so that its methods are known; Nest has registered its own by now, so that none is hidden. */
  onModuleInit(): void {
    const application = this.adapterHost.httpAdapter.getInstance<Application>();
    const files = express.static(FOLDER, {
      redirect: false,
      // Unlike the API's answers these may be kept, and are asked for again only if they have changed.
      setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
    });
    for (const name of ['', ...readdirSync(FOLDER)]) application.get(`/${name}`, files);
  }
}
