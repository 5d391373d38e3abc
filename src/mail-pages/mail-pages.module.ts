import { join } from 'node:path';
import { Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import express, { type Application } from 'express';

const FOLDER = join(import.meta.dirname, 'pages');
const PAGES = ['reset-password', 'verify-email'];
const FILES = ['pages.css', 'mail-page.js', 'reset-password.js', 'verify-email.js'];

/** Serves the pages that mails link to: static files that use the public API. An app may serve its own instead. */
@Module({})
export class MailPagesModule implements OnModuleInit {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** Registers a route per file, so that wrong methods get 405. */
  onModuleInit(): void {
    const application = this.adapterHost.httpAdapter.getInstance<Application>();
    const files = express.static(FOLDER, {
      extensions: ['html'],
      redirect: false,
      setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
    });
    for (const name of [...PAGES, ...FILES]) application.get(`/${name}`, files);
  }
}
