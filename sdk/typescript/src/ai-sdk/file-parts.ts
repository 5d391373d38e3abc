import type { FileUIPart } from 'ai' with { 'resolution-mode': 'import' };
import type { ChatMessage } from '../conversations/chat-message.js';
import { ParleyError } from '../error.js';
import type { NamedData } from '../files/file-input.js';
import type { Parley } from '../parley.js';
import type { Message } from '../rest/types.gen.js';

/** The address of a file's content; null once the file is deleted. */
export type FileUrl = (file: Message['files'][number]) => string | null;

/** The files of a message that exist. */
export function toFileParts({ files }: Message | ChatMessage, urlOf: FileUrl): FileUIPart[] {
  return files.flatMap((file) => {
    const url = urlOf(file);
    return url === null
      ? []
      : [{ type: 'file' as const, mediaType: file.mime_type, filename: file.name, url }];
  });
}

/** The file of a part: the id of a stored one, or its bytes. */
export async function fileOf(part: FileUIPart, parley: Parley): Promise<NamedData | number> {
  const { url, filename: name = 'file', mediaType: type } = part;
  const prefix = parley.files.url({ url: '/files/' })!;
  const [, id] = (url.startsWith(prefix) && /^(\d+)\/content/.exec(url.slice(prefix.length))) || [];
  if (id) return Number(id);
  if (!/^(data|blob):/.test(url))
    throw new ParleyError('unsupported_file', 'Files are sent as data: or blob: URLs.');
  try {
    return { name, type, data: url.startsWith('data:') ? bytesOf(url) : await (await fetch(url)).blob() };
  } catch (cause) {
    throw new ParleyError('unreadable_file', 'The file could not be read. Choose it again.', { cause });
  }
}

/** Decodes a `data:` URL (RFC 2397); a content security policy may forbid `fetch` for it. */
function bytesOf(url: string): Uint8Array<ArrayBuffer> | string {
  const comma = url.indexOf(',');
  const data = decodeURIComponent(url.slice(comma + 1));
  if (!/;base64$/i.test(url.slice(0, comma))) return data;
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
}
