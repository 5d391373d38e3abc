/** State of the open conversation. Messages are immutable, so `===` detects changes. */
export class Thread {
  messages = [];

  constructor(snapshot) {
    this.replace(snapshot);
  }

  get running() {
    return this.messages.at(-1)?.status === 'streaming';
  }

  /** Replaces the newest page. Earlier pages stay if they are contiguous with it. */
  replace({ messages, has_more, ...conversation }) {
    const joint = this.messages.findIndex((message) => message.id === messages[0]?.id);
    if (joint <= 0) this.hasMore = has_more;
    this.messages = [...this.messages.slice(0, Math.max(joint, 0)), ...messages];
    this.conversation = conversation;
  }

  prepend({ messages, has_more }) {
    this.messages = [...messages, ...this.messages];
    this.hasMore = has_more;
  }

  /**
   * Applies an event.
   * @returns {boolean} false if it does not fit the state and the conversation must be opened again
   */
  apply(event, body) {
    if (event === 'message.created') return this.add(body.message);
    if (event === 'message.delta') return this.#append(body);
    if (event === 'message.completed' || event === 'message.restarted') return this.#put(body.message);
    if (event !== 'conversation.updated') return true;
    this.conversation = body.conversation;
    const active = body.conversation.active_message_id;
    return active === null || this.messages.some((message) => message.id === active);
  }

  /** Adds a message after its parent and drops the previous branch. */
  add(message) {
    if (this.messages.some((known) => known.id === message.id)) return true;
    const parent = this.messages.findIndex((known) => known.id === message.parent_id);
    if (parent < 0 && (message.parent_id !== null || this.hasMore)) return false;
    this.messages = [...this.messages.slice(0, parent + 1), message];
    return true;
  }

  #append({ message_id, part, offset, text }) {
    const message = this.messages.find((known) => known.id === message_id);
    const before = message?.[part] ?? '';
    if (!message || offset > before.length) return false;
    return this.#put({ ...message, [part]: before.slice(0, offset) + text });
  }

  #put(message) {
    const index = this.messages.findIndex((known) => known.id === message.id);
    if (index < 0) return this.add(message);
    this.messages = this.messages.with(index, message);
    return true;
  }
}
