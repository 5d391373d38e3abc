import type { StoredFile } from '@parley/client';
import { useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { t } from '../i18n/i18n.js';
import { Icon } from '../ui/icons.js';
import { download } from './download-file.js';
import { fileSize } from './file-size.js';
import { Lightbox } from './lightbox.js';
import { StoredImage } from './stored-image.js';

/** The files of a stored message: images that open enlarged, and others to download. */
export function FileList({ files }: { files: readonly StoredFile[] }) {
  const [opened, open] = useState<StoredFile | null>(null);
  const images = files.filter(isImage);
  return (
    <>
      <ul class="files" aria-label={t.files}>
        {files.map((file) => (
          <li key={file.id}>
            {isImage(file) ? (
              <button
                type="button"
                class="thumbnail"
                aria-label={t.enlarge(file.name)}
                onClick={() => open(file)}
              >
                <StoredImage file={file} alt="" />
              </button>
            ) : (
              <FileChip file={file} />
            )}
          </li>
        ))}
      </ul>
      {opened && <Lightbox images={images} image={opened} onChange={open} onClose={() => open(null)} />}
    </>
  );
}

const isImage = ({ mime_type, deleted }: StoredFile) => mime_type.startsWith('image/') && !deleted;

function FileChip({ file }: { file: StoredFile }) {
  const { name, mime_type, bytes, deleted } = file;
  const content = (
    <>
      <Icon name="file" />
      <span class="file-text">
        <span class="file-name">{name}</span>
        <span class="muted">
          {deleted ? t.deletedFile : `${mime_type === 'application/pdf' ? 'PDF · ' : ''}${fileSize(bytes)}`}
        </span>
      </span>
    </>
  );
  if (deleted) return <div class="file-chip">{content}</div>;
  return (
    <button
      type="button"
      class="file-chip"
      title={t.downloadFile(name)}
      onClick={() => void report(download(file))}
    >
      {content}
    </button>
  );
}
