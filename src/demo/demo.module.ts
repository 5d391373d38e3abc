import { Module } from '@nestjs/common';
import { DemoKeyGuard } from './demo-key.guard.js';
import { DemoModel } from './demo-model.js';
import { DEMO_DELAY_MS, DemoController } from './demo.controller.js';

/** An OpenAI-compatible model in the server, so that a first chat needs no key. Not in production. */
@Module({
  controllers: [DemoController],
  // 35 ms per word, about reading speed.
  providers: [DemoModel, DemoKeyGuard, { provide: DEMO_DELAY_MS, useValue: 35 }],
  exports: [DemoModel],
})
export class DemoModule {}
