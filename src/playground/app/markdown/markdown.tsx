import { Marked, type Tokens } from 'marked';
import { memo } from 'preact/compat';
import { useMemo } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { sanitize } from './sanitize.js';
import { toNodes } from './to-nodes.js';

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);

const marked = new Marked({
  gfm: true,
  renderer: {
    // Markup in a reply is shown, not interpreted.
    html: ({ text, block }: Tokens.HTML | Tokens.Tag) => (block ? `<p>${escape(text)}</p>` : escape(text)),
    // Loading an image would tell its host who reads the reply.
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || t.image)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

/** Renders Markdown block by block: while a reply is written, only its last block changes. */
export function Markdown({ text }: { text: string }) {
  const blocks = marked.lexer(text);
  return (
    <>
      {blocks.map((block, index) => (
        <Block key={index} html={marked.parser([block])} />
      ))}
    </>
  );
}

const Block = memo(({ html }: { html: string }) => <>{useMemo(() => toNodes(sanitize(html)), [html])}</>);
