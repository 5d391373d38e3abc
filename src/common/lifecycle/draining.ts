import { Global, Injectable, Module, OnModuleDestroy } from '@nestjs/common';
import { UnavailableError } from '../errors/errors.js';

/** Stages of a shutdown: first readiness fails, then new work is refused. */
@Injectable()
export class Draining implements OnModuleDestroy {
  #announced = false;
  #active = false;

  /** Not ready, so that load balancers choose other nodes; still serving. */
  get announced(): boolean {
    return this.#announced;
  }

  /** New work is refused; running replies may end. */
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

  /** The error for new work, or undefined if it is accepted. */
  refusal(): UnavailableError | undefined {
    return this.active
      ? new UnavailableError('draining', 'This server is shutting down; try again.')
      : undefined;
  }

  /** Runs before every `beforeApplicationShutdown`, where replies get their grace. */
  onModuleDestroy(): void {
    this.begin();
  }
}

@Global()
@Module({ providers: [Draining], exports: [Draining] })
export class DrainingModule {}
