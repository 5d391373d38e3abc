import type { ComponentChildren } from 'preact';
import type { Attachments, Upload } from '@parley/client';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { draftFiles, draftText, keepDraftText } from '../client/drafts.js';
import { useStore } from '../client/store.js';
import { addFiles, useFileDrop } from '../files/add-files.js';
import { AttachButtons } from '../files/attach-button.js';
import { UploadList } from '../files/upload-list.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import { useEscape } from '../ui/escape.js';

interface ComposerProps {
  draftKey: number | null;
  isFocused: boolean;
  isDisabled?: boolean;
  onSend: (text: string, files: Upload[]) => void;
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
  const attachments = draftFiles(draftKey);
  const { uploads, status } = useStore(attachments);
  const canSend = (text.trim() || uploads.length > 0) && status !== 'failed' && !isDisabled;
  const submit = (event?: SubmitEvent) => {
    event?.preventDefault();
    if (!canSend) return;
    change('');
    onSend(text, attachments.take());
  };
  return (
    <form class="composer" onSubmit={submit}>
      <ChosenFiles attachments={attachments} />
      <MessageField fieldRef={field} text={text} onChange={change} onEnter={submit} />
      <div class="composer-row">
        <AttachButtons onFiles={(files) => addFiles(attachments, files)} />
        {children}
        <span class="hint wide-only">{t.composerHint}</span>
        {onStop && <IconButton icon="stop" label={t.stop} class="stop" onClick={onStop} />}
        <IconButton icon="send" label={t.send} class="send" type="submit" disabled={!canSend} />
      </div>
    </form>
  );
}

/** The files of the next message, and the zone to drop them. */
function ChosenFiles({ attachments }: { attachments: Attachments }) {
  const { uploads } = useStore(attachments);
  const isDragged = useFileDrop(attachments);
  return (
    <>
      {isDragged && <div class="drop-zone">{t.dropFiles}</div>}
      {uploads.length > 0 && (
        <div class="composer-files">
          <UploadList uploads={uploads} onRemove={(upload) => attachments.remove(upload)} />
        </div>
      )}
    </>
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
