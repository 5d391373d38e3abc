import { Window } from 'happy-dom';
import type { ReactNode } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';

/** Gives React DOM a page to render into, in the process of the server. Call it once per test file. */
export function openPage() {
  const page = new Window();
  const { document } = page;
  // With `window.document`, the server's OpenAI client takes the process for a browser, and refuses to run.
  Object.assign(globalThis, { window: { event: undefined }, document });
  return {
    /** Renders into an element of its own; hydrates it if it has HTML. */
    render(node: ReactNode, html = '') {
      const container = document.createElement('div');
      container.innerHTML = html;
      document.body.append(container);
      const root = html ? hydrateRoot(container, node) : createRoot(container);
      if (!html) root.render(node);
      return {
        text: () => container.textContent,
        render: (next: ReactNode) => root.render(next),
        unmount: () => root.unmount(),
      };
    },
    /** Replaces what the page has by an empty element with this id. */
    clear(id: string) {
      const element = Object.assign(document.createElement('div'), { id });
      document.body.replaceChildren(element);
      return element;
    },
    document,
    /** React works on with `window`. */
    close: () => {
      Reflect.deleteProperty(globalThis, 'document');
      return page.happyDOM.close();
    },
  };
}
