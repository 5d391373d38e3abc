import { Value } from './store.js';

/**
 * What the URL's fragment names: `#/12` a conversation, `#/12/345` one of its messages, `#/` a new chat,
 * `#invitation=…` the code to register with.
 */
export interface Route {
  readonly conversationId: number | null;
  readonly messageId: number | null;
  readonly invitation: string | null;
}

function parse(hash: string): Route {
  const [, conversationId, messageId] = /^#\/(\d+)(?:\/(\d+))?$/.exec(hash) ?? [];
  return {
    conversationId: Number(conversationId) || null,
    messageId: Number(messageId) || null,
    invitation: /^#invitation=([\w-]+)$/.exec(hash)?.[1] ?? null,
  };
}

export const route = new Value<Route>(parse(location.hash));

const follow = () => route.set(parse(location.hash));

addEventListener('hashchange', follow);

export const pathOf = (conversationId: number, messageId?: number): string =>
  messageId ? `#/${conversationId}/${messageId}` : `#/${conversationId}`;

export const invitationLink = (code: string): string =>
  new URL(`.#invitation=${code}`, document.baseURI).href;

export const openConversation = (id: number): void => go(pathOf(id));

export const startNewChat = (): void => go('#/');

/** Shows the change at once: the event follows later. */
function go(hash: string): void {
  location.hash = hash;
  follow();
}
