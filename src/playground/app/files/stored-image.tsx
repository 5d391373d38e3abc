import type { StoredFile } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { parley } from '../client/parley.js';
import { useStore } from '../client/store.js';

/**
 * An image by its signed link. A failed one is loaded by a new link, again whenever the connection changes. The same link
 * stays, so that nothing loads twice.
 */
export function StoredImage({ file, alt }: { file: StoredFile; alt: string }) {
  const [link, setLink] = useState(() => ({ url: parley.files.url(file), attempt: 0 }));
  const [hasFailed, setFailed] = useState(false);
  const connection = useStore(parley.connection);
  useEffect(() => {
    if (!hasFailed) return;
    const renew = (url: string | null) => setLink(({ attempt }) => ({ url, attempt: attempt + 1 }));
    parley.files.link(file.id).then(renew, () => undefined);
  }, [hasFailed, connection]);
  const { url, attempt } = link;
  if (url === null) return null;
  const { width, height } = file;
  return (
    <img
      key={attempt}
      src={url}
      alt={alt}
      width={width ?? undefined}
      height={height ?? undefined}
      decoding="async"
      onError={() => setFailed(true)}
      onLoad={() => setFailed(false)}
    />
  );
}
