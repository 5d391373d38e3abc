import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  BadRequestException,
  Body,
  Controller,
  Get,
  Inject,
  NotFoundException,
  Post,
  Res,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import type { Response } from 'express';
import { z } from 'zod';
import { Public } from '../auth/public.decorator.js';
import { DemoRequest, DemoCompletion } from './demo-completion.js';
import { DemoKeyGuard } from './demo-key.guard.js';
import { DemoModel } from './demo-model.js';
import { OpenAiErrorFilter } from './openai-error.filter.js';

/** The pause before each delta, in milliseconds; 0 in tests. */
export const DEMO_DELAY_MS = Symbol('DEMO_DELAY_MS');

/** The built-in model, with OpenAI's protocol. */
@Controller('demo/v1')
@ApiExcludeController()
@Public()
@SkipThrottle() // all requests come from this process, and were counted with the user's request
@UseGuards(DemoKeyGuard)
@UseFilters(OpenAiErrorFilter)
export class DemoController {
  constructor(
    private readonly demo: DemoModel,
    @Inject(DEMO_DELAY_MS) private readonly delayMs: number,
  ) {}

  @Get('models')
  listModels() {
    return { object: 'list', data: [{ id: this.demo.modelName, object: 'model', owned_by: 'parley' }] };
  }

  @Post('chat/completions')
  async complete(@Body() body: unknown, @Res() response: Response): Promise<void> {
    const request = parse(body);
    if (request.model !== this.demo.modelName) {
      throw new NotFoundException(`The model '${request.model}' does not exist.`);
    }
    const completion = new DemoCompletion(request);
    if (request.stream) await this.stream(completion, response);
    else response.status(200).json(completion.whole());
  }

  private async stream(completion: DemoCompletion, response: Response): Promise<void> {
    const disconnected = new AbortController();
    response.once('close', () => disconnected.abort());
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    try {
      for await (const data of paced(completion, this.delayMs, disconnected.signal)) {
        if (!response.write(`data: ${data}\n\n`))
          await once(response, 'drain', { signal: disconnected.signal });
      }
      response.end();
    } catch (error) {
      // A stopped reply closes the connection.
      if (!disconnected.signal.aborted) throw error;
    }
  }
}

function parse(body: unknown): DemoRequest {
  const { data, error } = DemoRequest.safeParse(body);
  if (error) throw new BadRequestException(z.prettifyError(error));
  return data;
}

/** Yields the stream's data lines with a pause each; rejects when the client disconnects. */
async function* paced(
  completion: DemoCompletion,
  delayMs: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield JSON.stringify(completion.chunk({ role: 'assistant', content: '' }));
  for (const content of completion.deltas) {
    if (delayMs > 0) await delay(delayMs, undefined, { signal });
    signal.throwIfAborted();
    yield JSON.stringify(completion.chunk({ content }));
  }
  yield JSON.stringify(completion.chunk({}, completion.finishReason));
  if (completion.includeUsage) yield JSON.stringify(completion.usageChunk());
  yield '[DONE]';
}
