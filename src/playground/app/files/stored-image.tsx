import type { StoredFile } from '@parley/client';
import { useRef, useState } from 'preact/hooks';
import { parley } from '../client/parley.js';

/** An image by its signed link, by a new one if that has expired. The same link stays, so that nothing loads twice. */
export function StoredImage({ file, alt }: { file: StoredFile; alt: string }) {
  const [url, setUrl] = useState(() => parley.files.url(file));
  const isRenewed = useRef(false);
  const renew = () => {
    if (isRenewed.current) return;
    isRenewed.current = true;
    parley.files.link(file.id).then(setUrl, () => undefined);
  };
  if (url === null) return null;
  const { width, height } = file;
  return (
    <img
      src={url}
      alt={alt}
      width={width ?? undefined}
      height={height ?? undefined}
      decoding="async"
      onError={renew}
    />
  );
}
