import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { draftText, keepDraftText } from '../client/drafts.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import { useEscape } from '../ui/escape.js';

interface ComposerProps {
  draftKey: number | null;
  isFocused: boolean;
  isDisabled?: boolean;
  /** Returns false when the text could not be taken. */
  onSend: (text: string) => void | Promise<boolean>;
  /** Absent while no reply runs. */
  onStop?: () => void;
  /** Stands beside the button. */
  children: ComponentChildren;
}

/** The field for the next message. */
export function Composer({ draftKey, isFocused, isDisabled, onSend, onStop, children }: ComposerProps) {
  const [text, change] = useDraftText(draftKey);
  const field = useRef<HTMLTextAreaElement>(null);
  useAutoHeight(field, text);
  // Not while the drawer covers the chat.
  useEscape(onStop && (() => field.current!.closest('[inert]') ?? onStop()));
  // Before the next key press, which may move the focus elsewhere.
  useLayoutEffect(() => {
    if (isFocused && matchMedia('(hover: hover)').matches) field.current!.focus();
  }, []);
  const submit = async (event?: SubmitEvent) => {
    event?.preventDefault();
    if (!text.trim() || isDisabled) return;
    change('');
    if ((await onSend(text)) === false) change(text);
  };
  return (
    <form class="composer" onSubmit={submit}>
      <MessageField fieldRef={field} text={text} onChange={change} onEnter={() => void submit()} />
      <div class="composer-row">
        {children}
        <span class="hint wide-only">{t.composerHint}</span>
        {onStop && <IconButton icon="stop" label={t.stop} class="stop" onClick={onStop} />}
        <IconButton
          icon="send"
          label={t.send}
          class="send"
          type="submit"
          disabled={!text.trim() || isDisabled}
        />
      </div>
    </form>
  );
}

/** Unsent text outlives the field. */
function useDraftText(key: number | null): [string, (text: string) => void] {
  const [text, setText] = useState(() => draftText(key));
  const change = (value: string) => {
    setText(value);
    keepDraftText(key, value);
  };
  return [text, change];
}

interface MessageFieldProps {
  fieldRef: { current: HTMLTextAreaElement | null };
  text: string;
  onChange: (text: string) => void;
  onEnter: () => void;
}

function MessageField({ fieldRef, text, onChange, onEnter }: MessageFieldProps) {
  return (
    <textarea
      ref={fieldRef}
      id="message"
      rows={1}
      aria-label={t.message}
      placeholder={t.messagePlaceholder}
      enterkeyhint="send"
      dir="auto"
      value={text}
      onInput={(event) => onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        // During IME composition Enter confirms a candidate.
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        onEnter();
      }}
    />
  );
}

/** As high as its text, up to the limit of the style sheet. */
function useAutoHeight(field: { current: HTMLTextAreaElement | null }, text: string): void {
  useLayoutEffect(() => {
    const { style } = field.current!;
    style.height = 'auto';
    style.height = `${field.current!.scrollHeight}px`;
  }, [text]);
}
