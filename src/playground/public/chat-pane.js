/** Shows a thread and its unacknowledged messages. */

import { byId, h } from './dom.js';
import { renderMarkdown } from './markdown.js';

const STATUS = { stopped: 'Stopped', failed: 'Failed', interrupted: 'Interrupted' };
const NEAR_BOTTOM_PX = 80;

export class ChatPane {
  #shown = new Map();
  #frame;
  #latest;
  #thread;

  /** @param onRegenerate called with the id of the reply to regenerate */
  constructor({ onRegenerate }) {
    this.onRegenerate = onRegenerate;
  }

  /** Schedules a draw for the next animation frame. */
  show(thread, unsent) {
    this.#latest = [thread, unsent];
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#draw(...this.#latest);
    });
  }

  #draw(thread, unsent) {
    const scroller = byId('scroller');
    const fromBottom = scroller.scrollHeight - scroller.scrollTop;
    const atBottom = fromBottom - scroller.clientHeight < NEAR_BOTTOM_PX;
    const following = atBottom || thread !== this.#thread || unsent.length > 0;
    const firstBefore = byId('messages').firstElementChild;
    this.#thread = thread;

    const messages = thread?.messages ?? [];
    const elements = messages.map((message) =>
      this.#element(message, message === messages.at(-1) && !unsent.length),
    );
    const waiting = unsent.map(({ content }) =>
      bubble('user', h('div', { className: 'text', dir: 'auto' }, content), 'Sending…'),
    );
    syncChildren(byId('messages'), [...elements, ...waiting]);
    this.#forget(messages);
    byId('earlier').hidden = !thread?.hasMore;
    byId('empty').hidden = messages.length + unsent.length > 0;

    if (following) scroller.scrollTop = scroller.scrollHeight;
    else if (firstBefore !== elements[0]) scroller.scrollTop = scroller.scrollHeight - fromBottom;
  }

  /** Returns the message's element, updated if the message has changed. */
  #element(message, isLast) {
    const shown = this.#shown.get(message.id) ?? { element: skeleton(message) };
    if (shown.message !== message || shown.isLast !== isLast) {
      fill(shown.element, message, isLast && (() => this.onRegenerate(message.id)));
      this.#shown.set(message.id, { element: shown.element, message, isLast });
    }
    return shown.element;
  }

  #forget(messages) {
    const kept = new Set(messages.map((message) => message.id));
    for (const id of this.#shown.keys()) if (!kept.has(id)) this.#shown.delete(id);
  }
}

function bubble(role, ...content) {
  return h(
    'article',
    { className: `message ${role}`, ariaLabel: role === 'user' ? 'You' : 'Reply' },
    ...content,
  );
}

function skeleton({ role }) {
  const text = h('div', { className: 'text', dir: 'auto' });
  const foot = h('p', { className: 'foot' });
  if (role === 'user') return bubble(role, text, foot);
  const reasoning = h(
    'details',
    { className: 'reasoning' },
    h('summary', {}, 'Reasoning'),
    h('div', { dir: 'auto' }),
  );
  return bubble(role, reasoning, text, foot);
}

function fill(element, message, regenerate) {
  const text = element.querySelector('.text');
  if (message.role === 'user') return text.replaceChildren(message.content);
  text.replaceChildren(renderMarkdown(message.content));
  element.classList.toggle('streaming', message.status === 'streaming');
  element.ariaBusy = String(message.status === 'streaming');
  element.querySelector('.reasoning').hidden = !message.reasoning;
  element.querySelector('.reasoning div').textContent = message.reasoning ?? '';
  element.querySelector('.foot').replaceChildren(...foot(message, regenerate));
}

function foot({ status, error, model_name }, regenerate) {
  if (status === 'streaming') return [];
  const ending =
    STATUS[status] &&
    h('span', { className: `status ${status}` }, STATUS[status] + (error ? `: ${error.detail}` : ''));
  const again =
    regenerate && h('button', { type: 'button', className: 'quiet', onclick: regenerate }, 'Regenerate');
  return [ending, model_name && h('span', {}, model_name), again].filter(Boolean);
}

/** Replaces the children without moving unchanged ones, to keep focus and selection. */
function syncChildren(parent, children) {
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}
