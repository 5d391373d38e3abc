import { expect } from '@jest/globals';
import type { TestUser } from '../app/user.js';
import type { PlayedProvider } from '../provider/provider.js';
import type { Thing } from './http.js';

export interface Config extends Thing {
  name: string;
  model_url: string;
  is_default: boolean;
  params: object;
  updated_at: string;
}

/** The key of the configurations that `configCalls` creates. */
export const KEY = 'sk-very-secret-0123456789';

/** The calls of `/auth/config`, as the current user by default. */
export function configCalls(provider: () => PlayedProvider, user: () => TestUser) {
  const valid = () => ({ model_url: provider().url, model_name: 'test-model', api_key: KEY });
  const create = (extra: object = {}, by = user()) =>
    by.post<Config>('/auth/config/create', { ...valid(), ...extra });
  return {
    valid,
    create,
    update: (id: number, body: object, by = user()) => by.post<Config>(`/auth/config/${id}/update`, body),
    remove: (id: number, by = user()) => by.post(`/auth/config/${id}/delete`),
    list: async (by = user()) =>
      (await by.get<{ configs: Config[]; total: number }>('/auth/config')).body.configs,
    made: async (extra: object = {}, by = user()) => {
      const { status, body } = await create(extra, by);
      expect([status, body]).toEqual([201, body]);
      return body;
    },
  };
}
