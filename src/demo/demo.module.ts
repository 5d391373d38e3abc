import { Module } from '@nestjs/common';
import { DemoKeyGuard } from './demo-key.guard.js';
import { DemoModel } from './demo-model.js';
import { DEMO_DELAY_MS, DemoController } from './demo.controller.js';

/** An OpenAI-compatible model inside the server, so that a first chat needs no key. Outside production only. */
@Module({
  controllers: [DemoController],
  // 35 ms a word is about as fast as one reads along.
  providers: [DemoModel, DemoKeyGuard, { provide: DEMO_DELAY_MS, useValue: 35 }],
  exports: [DemoModel],
})
export class DemoModule {}
