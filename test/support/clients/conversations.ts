import type { TestUser } from '../app/user.js';
import type { Thing } from './http.js';

export interface ListAnswer {
  conversations: Thing[];
  total: number;
  limit: number;
  offset: number;
  next_cursor: string | null;
}
export interface PageAnswer extends Thing {
  messages: Thing[];
  has_more: boolean;
}
export interface SearchAnswer {
  results: { conversation: Thing; message: Thing | null; snippet: string }[];
  has_more: boolean;
}

/** The calls of `/conversations`, as the current user. */
export function conversationCalls(user: () => TestUser) {
  const list = async (query = '') => (await user().get<ListAnswer>(`/conversations${query}`)).body;
  return {
    create: (body?: object | string) => user().post('/conversations/create', body),
    update: (id: number | string, body: object) => user().post(`/conversations/${id}/update`, body),
    remove: (id: number | string) => user().post(`/conversations/${id}/delete`),
    list,
    titles: async (query = '') => (await list(query)).conversations.map(({ title }) => title),
    page: async (id: number, query = '') =>
      (await user().get<PageAnswer>(`/conversations/${id}${query}`)).body,
    search: async (query: string) => (await user().get<SearchAnswer>(`/conversations/search${query}`)).body,
  };
}
