import type { Config } from '@parley/client';
import { parley } from './parley.js';
import { Value } from './store.js';

/** The user's model configurations; null until they are read. */
export const configs = new Value<readonly Config[] | null>(null);

export async function refreshConfigs(): Promise<void> {
  configs.set((await parley.rest.listConfigs()).configs);
}

const refreshQuietly = () => void refreshConfigs().catch(() => undefined);

parley.connection.opened.on(refreshQuietly);
parley.connection.events.on((event) => {
  if (event.type === 'config.changed') configs.set(event.body.configs);
});
parley.auth.subscribe(() => {
  if (parley.auth.user) refreshQuietly();
  else configs.set(null);
});
