import { channel } from 'node:diagnostics_channel';

/** Measurements by name, with their values. */
export interface Measurements {
  'reply.ended': { status: string };
  /** From a send to the first text of its reply. */
  'reply.first-text': { seconds: number };
  /** One write of the text of all running replies. */
  'replies.flushed': { seconds: number; rows: number };
  'send.refused': { code: string };
  /** An upload, with the code of its problem or `stored`. */
  'upload.ended': { result: string; bytes: number };
  /** The storage of files failed or did not answer. */
  'storage.failed': Record<string, never>;
  /** The bytes of a file that is no longer used were deleted. */
  'storage.deleted': Record<string, never>;
  'upstream.requested': Record<string, never>;
  'upstream.retried': Record<string, never>;
  /** From a request to the first text of its response. */
  'upstream.first-text': { hostClass: string; seconds: number };
  /** An attempt to deliver a webhook. */
  'webhook.attempted': { outcome: 'delivered' | 'failed' | 'dead' };
}

/** Publishes a measurement on a diagnostics channel; dropped without a subscriber. Not for every token. */
export function publishMeasurement<Name extends keyof Measurements>(
  name: Name,
  measured: Measurements[Name],
): void {
  channelOf(name).publish(measured);
}

/**
 * Subscribes to a measurement of this process.
 * @returns ends the subscription
 */
export function onMeasurement<Name extends keyof Measurements>(
  name: Name,
  listener: (measured: Measurements[Name]) => void,
): () => void {
  const receive = (message: unknown) => listener(message as Measurements[Name]);
  channelOf(name).subscribe(receive);
  return () => void channelOf(name).unsubscribe(receive);
}

const channelOf = (name: keyof Measurements) => channel(`parley:${name}`);
