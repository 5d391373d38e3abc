import { Global, Injectable, Module, OnModuleDestroy } from '@nestjs/common';

/** Whether this process is on its way out: it finishes what runs and takes nothing new. */
@Injectable()
export class Draining implements OnModuleDestroy {
  #active = false;

  get active(): boolean {
    return this.#active;
  }

  begin(): void {
    this.#active = true;
  }

  /** Nest's first shutdown hook: it comes before every `beforeApplicationShutdown`, where replies get their grace. */
  onModuleDestroy(): void {
    this.begin();
  }
}

@Global()
@Module({ providers: [Draining], exports: [Draining] })
export class DrainingModule {}
