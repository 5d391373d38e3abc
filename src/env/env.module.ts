import { Global, Module } from '@nestjs/common';
import { loadSettings, Settings } from './settings.js';

@Global()
@Module({
  providers: [{ provide: Settings, useFactory: () => loadSettings(process.env) }],
  exports: [Settings],
})
export class EnvModule {}
