import type { SearchResult } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { pathOf } from '../client/route.js';
import { t } from '../i18n/i18n.js';
import { Skeleton } from '../ui/skeleton.js';

/** How long typing pauses before a search. */
const PAUSE_MS = 250;

export function SearchResults({ query }: { query: string }) {
  const [results, setResults] = useState<readonly SearchResult[] | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      void report(parley.rest.searchConversations({ query: { q: query } })).then(
        (found) => isCurrent && setResults(found?.results ?? []),
      );
    }, PAUSE_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [query]);
  if (!results) return <Skeleton lines={4} />;
  return (
    <>
      <p class="muted empty-list" role="status">
        {results.length > 0 ? t.searchResults(results.length) : t.noResults}
      </p>
      <ul class="results">
        {results.map(({ conversation, message, snippet }) => (
          <li key={`${conversation.id}/${message?.id}`}>
            <a href={pathOf(conversation.id, message?.id)}>
              <strong>{conversation.title}</strong>
              {message && <Snippet text={snippet} query={query} />}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Marks the first place that matches. */
function Snippet({ text, query }: { text: string; query: string }) {
  const at = text.toLowerCase().indexOf(query.toLowerCase());
  if (at < 0) return <span>{text}</span>;
  const end = at + query.length;
  return (
    <span>
      {text.slice(0, at)}
      <mark>{text.slice(at, end)}</mark>
      {text.slice(end)}
    </span>
  );
}
