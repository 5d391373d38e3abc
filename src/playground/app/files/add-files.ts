import type { Attachments } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { notice } from '../client/notices.js';
import { t } from '../i18n/i18n.js';

/** As the server's limit. */
const MAX_FILES = 10;

export function addFiles(attachments: Attachments, files: Iterable<File>): void {
  const free = MAX_FILES - attachments.getSnapshot().uploads.length;
  const chosen = [...files];
  attachments.add(...chosen.slice(0, free));
  if (chosen.length > free) notice.set(t.tooManyFiles(MAX_FILES));
}

/** Adds files of the clipboard, unless it has text, as that of a spreadsheet does. */
function pasteFiles(attachments: Attachments, event: ClipboardEvent): void {
  const { files, types } = event.clipboardData!;
  if (files.length === 0 || types.includes('text/plain') || isCovered()) return;
  event.preventDefault();
  addFiles(attachments, files);
}

/** Takes files that are dropped or pasted anywhere in the window. @returns whether files are dragged over it */
export function useFileDrop(attachments: Attachments): boolean {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer!.dropEffect = 'copy';
      setOver(true);
    };
    const leave = (event: DragEvent) => event.relatedTarget ?? setOver(false);
    const drop = (event: DragEvent) => {
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      addFiles(attachments, event.dataTransfer!.files);
    };
    const paste = (event: ClipboardEvent) => pasteFiles(attachments, event);
    addEventListener('paste', paste);
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('paste', paste);
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, [attachments]);
  return isOver;
}

const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer!.types.includes('Files') && !isCovered();

/** Whether a modal dialog covers the composer. */
const isCovered = () => document.querySelector('dialog[open]') !== null;
