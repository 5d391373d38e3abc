/** Conversations in the sidebar, in the server's order: pinned first, then newest activity. */

import { api } from './api.js';
import { byId, h } from './dom.js';

export class ConversationList {
  #known = new Map();
  #total = 0;
  #currentId = null;

  constructor() {
    byId('more-conversations').onclick = () => this.loadMore();
  }

  async reload() {
    this.#known.clear();
    await this.loadMore();
  }

  async loadMore() {
    const { conversations, total } = await api('GET', `/conversations?limit=30&offset=${this.#known.size}`);
    for (const conversation of conversations) this.#known.set(conversation.id, conversation);
    this.#total = total;
    this.#render();
  }

  put(conversation, { isNew = false } = {}) {
    if (conversation.archived) return this.remove(conversation.id);
    if (isNew && !this.#known.has(conversation.id)) this.#total += 1;
    this.#known.set(conversation.id, conversation);
    this.#render();
  }

  remove(id) {
    if (this.#known.delete(id)) this.#total -= 1;
    this.#render();
  }

  select(id) {
    this.#currentId = id;
    this.#render();
  }

  #render() {
    const newestFirst = (a, b) =>
      b.pinned - a.pinned || b.updated_at.localeCompare(a.updated_at) || b.id - a.id;
    const rows = [...this.#known.values()].sort(newestFirst).map(({ id, title }) => {
      const link = h('a', { href: `#/${id}`, title }, title);
      if (id === this.#currentId) link.setAttribute('aria-current', 'page');
      return h('li', {}, link);
    });
    const focused = document.activeElement?.getAttribute('href');
    byId('conversations').replaceChildren(...rows);
    if (focused?.startsWith('#/')) byId('conversations').querySelector(`[href="${focused}"]`)?.focus();
    byId('more-conversations').hidden = this.#known.size >= this.#total;
  }
}
