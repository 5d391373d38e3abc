import type { ChatMessage } from '@parley/client';
import { formatNumber, t } from '../i18n/i18n.js';
import { Markdown } from '../markdown/markdown.js';
import { CopyButton, IconButton } from '../ui/buttons.js';
import { Branches, type MessageProps } from './branches.js';

export function Reply({ message, store }: MessageProps) {
  const { content, status } = message;
  const isRunning = status === 'streaming';
  return (
    <>
      <Reasoning message={message} />
      {isRunning && content === '' && <Dots />}
      <div class="prose" dir="auto" aria-busy={isRunning}>
        <Markdown text={content} />
      </div>
      <Outcome message={message} />
      <Sources message={message} />
      {!isRunning && (
        <div class="actions">
          <Branches message={message} store={store} />
          {content && <CopyButton text={content} />}
          <IconButton icon="refresh" label={t.regenerate} onClick={() => store.regenerate(message.id!)} />
          <Facts message={message} />
        </div>
      )}
    </>
  );
}

const Dots = () => (
  <p class="dots" aria-label={t.writing} role="img">
    <i />
    <i />
    <i />
  </p>
);

function Reasoning({ message: { reasoning, content, status } }: { message: ChatMessage }) {
  if (!reasoning) return null;
  const isThinking = status === 'streaming' && content === '';
  return (
    <details class={isThinking ? 'reasoning thinking' : 'reasoning'}>
      <summary>{isThinking ? t.thinking : t.thoughts}</summary>
      <div dir="auto">{reasoning}</div>
    </details>
  );
}

/** How a reply ended, if not by itself. */
function Outcome({ message: { status, error } }: { message: ChatMessage }) {
  if (status === 'stopped') return <p class="state">{t.stopped}</p>;
  if (status === 'interrupted') return <p class="state">{t.interrupted}</p>;
  if (status !== 'failed') return null;
  const sentence = error && t.problem(error.code, error.detail);
  return (
    <div class="state error">
      <p>
        {t.failed} {sentence}
      </p>
      {error && sentence !== error.detail && <p>{error.detail}</p>}
    </div>
  );
}

function Sources({ message: { sources } }: { message: ChatMessage }) {
  const links = sources.filter(({ url }) => /^https?:\/\//i.test(url));
  if (links.length === 0) return null;
  return (
    <details class="reasoning">
      <summary>
        {t.sources} ({links.length})
      </summary>
      <ul>
        {links.map(({ url, title }) => (
          <li key={url}>
            <a href={url} target="_blank" rel="noopener noreferrer">
              {title ?? url}
            </a>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The model and the usage. */
function Facts({ message: { model_name, usage } }: { message: ChatMessage }) {
  if (!usage) return <span class="facts">{model_name}</span>;
  const { prompt_tokens, completion_tokens, total_tokens, estimated } = usage;
  return (
    <span class="facts" title={t.tokensDetail(formatNumber(prompt_tokens), formatNumber(completion_tokens))}>
      {model_name && `${model_name} · `}
      {t.tokens(formatNumber(total_tokens), estimated)}
    </span>
  );
}
