import type { ChatMessage } from '@parley/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n/i18n.js';

/** Long enough for a screen reader to notice the text. */
const SHOWN_MS = 3_000;

interface AnnouncerProps {
  running: ChatMessage | null;
  messages: readonly ChatMessage[];
}

/** Announces that a reply is being written and then the whole reply, not its pieces. */
export function Announcer({ running, messages }: AnnouncerProps) {
  const [text, setText] = useState('');
  const runningId = useRef<number | null>(null);
  useEffect(() => {
    const ended = running ? undefined : messages.find(({ id }) => id !== null && id === runningId.current);
    runningId.current = running?.id ?? null;
    if (running) setText(t.writing);
    else if (ended) setText(announcementOf(ended));
  }, [running?.id, messages.at(-1)?.status]);
  useEffect(() => {
    if (!text) return;
    const timer = setTimeout(() => setText(''), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="sr-only" role="status">
      {text}
    </p>
  );
}

function announcementOf({ id, status, content }: ChatMessage): string {
  const shown = document.querySelector(`#message-${id} .prose`)?.textContent ?? content;
  if (status === 'complete') return t.replyDone(shown.trim());
  if (status === 'stopped') return t.replyEnded(t.stopped);
  return t.replyEnded(status === 'failed' ? t.failed : t.interrupted);
}
