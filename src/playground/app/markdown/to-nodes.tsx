import { type ComponentChild, h } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { CopyButton } from '../ui/buttons.js';
import { highlight } from './highlight.js';
import { sanitize } from './sanitize.js';

/** Headings of replies stand below the page's own. */
const HEADINGS: Record<string, string> = { h1: 'h3', h2: 'h4', h3: 'h5', h4: 'h6', h5: 'h6' };

/** Converts sanitized nodes, so that rendering changes only what differs: selections and scroll positions stay. */
export function toNodes(parent: Node): ComponentChild[] {
  return [...parent.childNodes].map((node) => (node instanceof Element ? toElement(node) : node.textContent));
}

function toElement(element: Element): ComponentChild {
  const name = element.localName;
  switch (name) {
    case 'pre':
      return <CodeBlock code={element.textContent.replace(/\n$/, '')} language={languageOf(element)} />;
    case 'table':
      return (
        <div class="table" role="region" aria-label={t.table} tabIndex={0}>
          <table>{toNodes(element)}</table>
        </div>
      );
    case 'a':
      return (
        <a href={element.getAttribute('href') ?? undefined} target="_blank" rel="noopener noreferrer">
          {toNodes(element)}
        </a>
      );
    case 'li':
      return <li class={/^[☑☐] /.test(element.textContent) ? 'task' : undefined}>{toNodes(element)}</li>;
    default:
      return h(HEADINGS[name] ?? name, attributesOf(element), toNodes(element));
  }
}

function attributesOf(element: Element): Record<string, string> {
  return Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value]));
}

const languageOf = (pre: Element): string =>
  /\blanguage-(\S+)/.exec(pre.firstElementChild?.className ?? '')?.[1] ?? '';

function CodeBlock({ code, language }: { code: string; language: string }) {
  const nodes = useMemo(() => {
    const html = highlight(code, language);
    return html === null ? code : toNodes(sanitize(html));
  }, [code, language]);
  return (
    <figure class="code">
      <figcaption>
        <span>{language || t.code}</span>
        <CopyButton text={code} label={t.copyCode} />
      </figcaption>
      <pre tabIndex={0} role="region" aria-label={t.code}>
        <code>{nodes}</code>
      </pre>
    </figure>
  );
}
