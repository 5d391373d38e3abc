import type { StoredFile } from '@parley/client';
import { useEffect } from 'preact/hooks';
import { report } from '../client/notices.js';
import { t } from '../i18n/i18n.js';
import { IconButton } from '../ui/buttons.js';
import { Dialog } from '../ui/dialog.js';
import { download } from './download-file.js';
import { StoredImage } from './stored-image.js';

interface LightboxProps {
  images: readonly StoredFile[];
  image: StoredFile;
  onChange: (image: StoredFile) => void;
  onClose: () => void;
}

/** One image of a message, enlarged. The arrow keys show the others. */
export function Lightbox({ images, image, onChange, onClose }: LightboxProps) {
  const at = images.findIndex(({ id }) => id === image.id);
  const show = (step: number) => onChange(images.at((at + step) % images.length)!);
  useEffect(() => {
    const handle = ({ key }: KeyboardEvent) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (step) show(step);
    };
    addEventListener('keydown', handle);
    return () => removeEventListener('keydown', handle);
  }, [at]);
  return (
    <Dialog title={image.name} onClose={onClose} isWide>
      <div class="lightbox">
        <StoredImage key={image.id} file={image} alt={image.name} />
        <footer>
          {images.length > 1 && (
            <>
              <IconButton icon="left" label={t.previousImage} onClick={() => show(-1)} />
              <span aria-live="polite">
                {at + 1} / {images.length}
              </span>
              <IconButton icon="right" label={t.nextImage} onClick={() => show(1)} />
            </>
          )}
          <button type="button" onClick={() => void report(download(image))}>
            {t.download}
          </button>
        </footer>
      </div>
    </Dialog>
  );
}
