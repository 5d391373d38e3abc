import type { StoredFile } from '@parley/client';
import { parley } from '../client/parley.js';

/** By a new link: that of the message may have expired. */
export async function download({ id, name }: StoredFile): Promise<void> {
  const href = await parley.files.link(id);
  if (href) Object.assign(document.createElement('a'), { href, download: name }).click();
}
