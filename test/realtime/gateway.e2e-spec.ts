/** Nest's gateways: the global providers that reach them, and the one gateway that the adapter serves. */
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  type CallHandler,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Test } from '@nestjs/testing';
import type { AddressInfo } from 'node:net';
import { io } from 'socket.io-client';
import { SocketLimits } from '../../src/chat/transports/shared/socket-limits.js';
import { SocketIoAdapter } from '../../src/chat/transports/socket-io/socket-io.adapter.js';
import { EdgeWarnings } from '../../src/common/http/edge-warnings.js';
import { Draining } from '../../src/common/lifecycle/draining.js';
import type { Settings } from '../../src/env/settings.js';

let app: NestExpressApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const reached: string[] = [];
const note = (what: string) => void reached.push(what);

@Injectable()
class Guard implements CanActivate {
  canActivate(): boolean {
    note('guard');
    return true;
  }
}

@Injectable()
class Pipe implements PipeTransform {
  transform(value: unknown): unknown {
    note('pipe');
    return value;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler) {
    note('interceptor');
    return next.handle();
  }
}

@Catch()
class Filter implements ExceptionFilter {
  catch(_error: unknown, _host: ArgumentsHost): void {
    note('filter');
  }
}

@WebSocketGateway()
class Failing {
  @SubscribeMessage('fail')
  fail(@MessageBody() _body: unknown): void {
    throw new Error('Failed');
  }
}

@WebSocketGateway()
class Another {}

describe('a gateway', () => {
  it('is reached by global guards, interceptors and pipes, and by no global filter', async () => {
    const providers = [
      Failing,
      { provide: APP_GUARD, useClass: Guard },
      { provide: APP_PIPE, useClass: Pipe },
      { provide: APP_INTERCEPTOR, useClass: Interceptor },
      { provide: APP_FILTER, useClass: Filter },
    ];
    const module = await Test.createTestingModule({ providers }).compile();
    app = module.createNestApplication<NestExpressApplication>({ logger: false });
    app.useWebSocketAdapter(new IoAdapter(app));
    await app.listen(0);
    const { port } = app.getHttpServer().address() as AddressInfo;
    const client = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] });
    const exception = new Promise((resolve) => client.once('exception', resolve));
    client.emit('fail', {});
    await exception;
    client.close();

    expect([...new Set(reached)].sort()).toEqual(['guard', 'interceptor', 'pipe']);
  });
});

describe('SocketIoAdapter', () => {
  async function init(...gateways: (new () => object)[]): Promise<void> {
    const parts = [SocketLimits, EdgeWarnings, Draining].map((provide) => ({ provide, useValue: {} }));
    const module = await Test.createTestingModule({ providers: [...parts, ...gateways] }).compile();
    app = module.createNestApplication<NestExpressApplication>({ logger: false });
    app.useWebSocketAdapter(new SocketIoAdapter(app, { corsOrigins: [] } as unknown as Settings));
    await app.init();
  }

  it('fails at boot when a second gateway is bound', async () => {
    await expect(init(Failing, Another)).rejects.toThrow('serves one gateway');
  });

  it('serves one', async () => {
    await expect(init(Failing)).resolves.toBeUndefined();
  });
});
