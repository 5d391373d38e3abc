import type { Attachments } from '@parley/client';
import { parley } from './parley.js';
import { Value } from './store.js';

/** Settings of the next new chat. */
export interface DraftSettings {
  readonly config_id: number | null;
  readonly system_prompt: string | null;
}

export const NO_SETTINGS: DraftSettings = { config_id: null, system_prompt: null };
export const draftSettings = new Value<DraftSettings>(NO_SETTINGS);

const texts = new Map<number | null, string>();
const files = new Map<number | null, Attachments>();

/** Unsent text of a conversation; null stands for a new chat. */
export const draftText = (id: number | null): string => texts.get(id) ?? '';

export const keepDraftText = (id: number | null, text: string): void => void texts.set(id, text);

/** Files for the next message of a conversation. */
export function draftFiles(id: number | null): Attachments {
  if (!files.has(id)) files.set(id, parley.files.attachments());
  return files.get(id)!;
}

/** Moves the draft of a new chat to its conversation. */
export function moveDraft(id: number): void {
  keepDraftText(id, draftText(null));
  texts.delete(null);
  files.set(id, draftFiles(null));
  files.delete(null);
}

export function forgetDrafts(): void {
  texts.clear();
  files.clear();
  draftSettings.set(NO_SETTINGS);
}
