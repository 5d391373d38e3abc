import { Injectable, OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Application, NextFunction, Request, Response } from 'express';
import { ProblemError } from '../errors/errors.js';

/** The part of Express's router used to list the methods of a path. */
interface Layer {
  route?: { methods: Record<string, boolean> };
  match(path: string): boolean;
}

/** All methods used by some path. */
const ANY_METHOD = 'GET, HEAD, OPTIONS, POST';

/** Answers OPTIONS, and unknown methods of known paths with 405 (RFC 9110 section 15.5.6). */
@Injectable()
export class RouteMethods implements OnModuleInit {
  constructor(private readonly host: HttpAdapterHost) {}

  /** Runs after Nest has registered all routes and before its handler for unknown ones. */
  onModuleInit(): void {
    const express = this.host.httpAdapter.getInstance<Application>();
    express.use((request: Request, response: Response, next: NextFunction) => {
      const allow = allowedMethods(express, request.path);
      const { method } = request;
      if (method === 'TRACE') next(methodNotAllowed(method, allow.join(', ') || ANY_METHOD));
      else if (allow.length === 0) next();
      else if (method === 'OPTIONS') response.set('Allow', allow.join(', ')).status(204).end();
      // The route found nothing, such as a missing file.
      else if (allow.includes(method)) next();
      else next(methodNotAllowed(method, allow.join(', ')));
    });
  }
}

function methodNotAllowed(method: string, allow: string): ProblemError {
  const detail = `${method} is not possible here; ${allow} are.`;
  return new ProblemError(405, 'method_not_allowed', detail, { headers: { Allow: allow } });
}

function allowedMethods(express: Application, path: string): string[] {
  const layers = express.router.stack as unknown as Layer[];
  const routes = layers.filter((layer) => layer.route && layer.match(path)).map((layer) => layer.route!);
  // `_all` is Nest's middleware.
  const names = routes.flatMap(({ methods }) => Object.keys(methods)).filter((name) => name !== '_all');
  const methods = new Set(names.map((name) => name.toUpperCase()));
  if (methods.has('GET')) methods.add('HEAD');
  return methods.size === 0 ? [] : [...methods, 'OPTIONS'].sort();
}
