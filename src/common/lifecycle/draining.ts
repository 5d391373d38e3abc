import { Global, Injectable, Module, OnModuleDestroy } from '@nestjs/common';
import { UnavailableError } from '../errors/errors.js';

/** Stages of a shutdown: first readiness fails, then new work is refused. */
@Injectable()
export class Draining implements OnModuleDestroy {
  #announced = false;
  #active = false;

  /** Not ready, so that balancers choose other nodes, but still serving. */
  get announced(): boolean {
    return this.#announced;
  }

  /** Lets running replies end and refuses new work. */
  get active(): boolean {
    return this.#active;
  }

  announce(): void {
    this.#announced = true;
  }

  begin(): void {
    this.announce();
    this.#active = true;
  }

  /** The answer to a request for something new, or undefined where it can be had. */
  refusal(): UnavailableError | undefined {
    return this.active
      ? new UnavailableError('draining', 'This server is shutting down; try again.')
      : undefined;
  }

  /** Nest's first shutdown hook: it comes before every `beforeApplicationShutdown`, where replies get their grace. */
  onModuleDestroy(): void {
    this.begin();
  }
}

@Global()
@Module({ providers: [Draining], exports: [Draining] })
export class DrainingModule {}
