import type { Upload } from '@parley/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../client/notices.js';
import { useStore } from '../client/store.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import { Icon } from '../ui/icons.js';
import { fileSize } from './file-size.js';

interface UploadListProps {
  uploads: readonly Upload[];
  /** Absent once the message is sent. */
  onRemove?: (upload: Upload) => void;
}

/** Files that are not in a stored message yet, each with its progress. */
export const UploadList = ({ uploads, onRemove }: UploadListProps) => (
  <ul class="files" aria-label={t.files}>
    {uploads.map((upload) => (
      <li key={upload.key}>
        <UploadItem upload={upload} onRemove={onRemove} />
      </li>
    ))}
  </ul>
);

function UploadItem({ upload, onRemove }: { upload: Upload; onRemove?: (upload: Upload) => void }) {
  const { name, bytes, sent, status, error } = useStore(upload);
  return (
    <div class={`file-chip ${status}`}>
      <Thumbnail upload={upload} />
      <span class="file-text">
        <span class="file-name">{name}</span>
        {status === 'uploading' && (
          <progress aria-label={t.uploading(name)} value={sent} max={Math.max(1, bytes ?? 1)} />
        )}
        {status === 'done' && <span class="muted">{fileSize(bytes ?? 0)}</span>}
        {error && (
          <span class="error" role="alert">
            {messageOf(error)}
          </span>
        )}
      </span>
      {error && <IconButton icon="refresh" label={t.uploadAgain(name)} onClick={() => upload.retry()} />}
      {onRemove && <IconButton icon="close" label={t.removeFile(name)} onClick={() => onRemove(upload)} />}
    </div>
  );
}

const THUMBNAIL_PX = 96;

/** A small copy of an image, drawn here: the content security policy allows no `blob:` images. */
function Thumbnail({ upload: { blob } }: { upload: Upload }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [isImage, setImage] = useState(blob?.type.startsWith('image/') ?? false);
  useEffect(() => {
    if (isImage) draw(blob!, canvas.current!).catch(() => setImage(false));
  }, [blob]);
  if (!isImage) return <Icon name="file" />;
  return <canvas ref={canvas} width={THUMBNAIL_PX} height={THUMBNAIL_PX} aria-hidden="true" />;
}

async function draw(blob: Blob, canvas: HTMLCanvasElement): Promise<void> {
  const image = await createImageBitmap(blob);
  const scale = THUMBNAIL_PX / Math.min(image.width, image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  const [x, y] = [(THUMBNAIL_PX - width) / 2, (THUMBNAIL_PX - height) / 2];
  canvas.getContext('2d')!.drawImage(image, x, y, width, height);
  image.close();
}
