import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import express, { type Application, type Response } from 'express';
import { Settings } from '../env/settings.js';

/** The built page: beside the build of this file, in `dist` for tests, which run the sources. */
const FOLDER = ['public', '../../dist/src/playground/public']
  .map((path) => join(import.meta.dirname, path))
  .find(existsSync);

/** Serves the playground at `/`: static files that use the public API, and the settings that they show. */
@Module({})
export class PlaygroundModule implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly settings: Settings,
  ) {}

  /** Registers a route per file, after Nest's own, so that wrong methods get 405 and no API route is hidden. */
  onModuleInit(): void {
    if (!FOLDER) return;
    const application = this.adapterHost.httpAdapter.getInstance<Application>();
    const files = express.static(FOLDER, {
      redirect: false,
      // Cacheable, unlike API responses, but revalidated.
      setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
    });
    for (const name of ['', ...readdirSync(FOLDER)]) application.get(`/${name}`, files);
    application.get('/playground.json', (_, response: Response) => void response.json(this.deployment));
  }

  private get deployment() {
    const { emailVerification, smtpUrl, production } = this.settings;
    return { verifies_email: emailVerification !== 'off' && (smtpUrl !== undefined || !production) };
  }
}
