import { useState } from 'preact/hooks';
import { FileList } from '../files/file-list.js';
import { UploadList } from '../files/upload-list.js';
import { t } from '../i18n/i18n.js';
import { CopyButton, IconButton } from '../ui/buttons.js';
import { Branches, type MessageProps } from './branches.js';
import { Undelivered } from './undelivered.js';

export function UserMessage({ message, store }: MessageProps) {
  const [isEdited, setEdited] = useState(false);
  if (isEdited) {
    return (
      <>
        <MessageFiles message={message} />
        <Editor message={message} store={store} onEnd={() => setEdited(false)} />
      </>
    );
  }
  return (
    <>
      <MessageFiles message={message} />
      {message.content && (
        <div class="bubble" dir="auto">
          {message.content}
        </div>
      )}
      {message.id === null ? (
        <Undelivered
          failure={message.failure}
          onRetry={() => store.retry(message.key)}
          onRemove={() => store.remove(message.key)}
        />
      ) : (
        <div class="actions">
          <Branches message={message} store={store} />
          {message.content && <CopyButton text={message.content} />}
          <IconButton icon="edit" label={t.edit} onClick={() => setEdited(true)} />
        </div>
      )}
    </>
  );
}

function MessageFiles({ message: { files, uploads } }: Pick<MessageProps, 'message'>) {
  if (uploads.length > 0) return <UploadList uploads={uploads} />;
  return files.length > 0 ? <FileList files={files} /> : null;
}

function Editor({ message, store, onEnd }: MessageProps & { onEnd: () => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget as HTMLFormElement).get('content'));
    if (text.trim()) {
      if (text !== message.content) store.edit(message.id!, text);
    } else {
      // A message without words must name its files.
      const files = message.files.filter(({ deleted }) => !deleted);
      if (files.length > 0 && message.content) store.edit(message.id!, '', { files });
    }
    onEnd();
  };
  return (
    <form class="editor" onSubmit={submit} onKeyDown={(event) => event.key === 'Escape' && onEnd()}>
      <textarea
        ref={(element) => element?.focus()}
        name="content"
        aria-label={t.editMessage}
        rows={Math.min(12, message.content.split('\n').length + 1)}
        defaultValue={message.content}
      />
      <footer>
        <button type="button" onClick={onEnd}>
          {t.cancel}
        </button>
        <button class="primary">{t.saveEdit}</button>
      </footer>
    </form>
  );
}
