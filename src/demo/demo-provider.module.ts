import { Global, Injectable, Module } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { AddressInfo } from 'node:net';
import type { ModelProvider } from '../ai/provider/provider.js';
import { DemoProvider } from '../configs/demo-provider.js';
import { DemoModel } from './demo-model.js';
import { DemoModule } from './demo.module.js';
import { Settings } from '../env/settings.js';

/** Provides the built-in model over HTTP, like any other provider. */
@Injectable()
class BuiltInProvider extends DemoProvider {
  constructor(
    private readonly settings: Settings,
    private readonly demo: DemoModel,
    private readonly host: HttpAdapterHost,
  ) {
    super();
  }

  override get(): ModelProvider | null {
    if (!this.settings.demoModel) return null;
    const { port } = this.host.httpAdapter.getHttpServer().address() as AddressInfo;
    const { modelName, apiKey } = this.demo;
    return { modelUrl: this.demo.modelUrl(port, this.settings.host), modelName, apiKey, trusted: true };
  }
}

@Global()
@Module({
  imports: [DemoModule],
  providers: [{ provide: DemoProvider, useClass: BuiltInProvider }],
  exports: [DemoProvider],
})
export class DemoProviderModule {}
