import type { Config, ConfigTestResult, CreateSharedConfig } from '@parley/client';
import { parley } from '../client/parley.js';

export type ConfigBody = CreateSharedConfig;

/** The calls for the user's own configurations, or for the shared ones. */
export interface ConfigCalls {
  create(body: ConfigBody): Promise<Config>;
  update(id: number, body: ConfigBody): Promise<Config>;
  test(id: number): Promise<ConfigTestResult>;
  listModels?(id: number): Promise<readonly string[]>;
}

const { rest } = parley;

export const ownConfigs: ConfigCalls = {
  create: (body) => rest.createConfig({ body }),
  update: (id, body) => rest.updateConfig({ path: { id }, body }),
  test: (id) => rest.testConfig({ path: { id } }),
  listModels: async (id) => (await rest.listConfigModels({ path: { id } })).models,
};

export const sharedConfigs: ConfigCalls = {
  create: (body) => rest.createSharedConfig({ body }),
  update: (id, body) => rest.updateSharedConfig({ path: { id }, body }),
  test: (id) => rest.testSharedConfig({ path: { id } }),
};
