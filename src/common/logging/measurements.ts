import { channel } from 'node:diagnostics_channel';

/** What is measured, by name. */
export interface Measurements {
  'reply.ended': { status: string };
  /** From a send to the first text of its reply. */
  'reply.first-text': { seconds: number };
  /** One write of the text of all running replies. */
  'replies.flushed': { seconds: number; rows: number };
  'send.refused': { code: string };
  'upstream.requested': Record<string, never>;
  'upstream.retried': Record<string, never>;
  /** From a request to the first text of its answer. */
  'upstream.first-text': { hostClass: string; seconds: number };
}

/** Publishes a measurement where it is taken; without a subscriber it is dropped. Never called for each token. */
export function publishMeasurement<Name extends keyof Measurements>(
  name: Name,
  measured: Measurements[Name],
): void {
  channelOf(name).publish(measured);
}

/** Subscribes to the process's measurements. @returns what ends the subscription */
export function onMeasurement<Name extends keyof Measurements>(
  name: Name,
  listener: (measured: Measurements[Name]) => void,
): () => void {
  const receive = (message: unknown) => listener(message as Measurements[Name]);
  channelOf(name).subscribe(receive);
  return () => void channelOf(name).unsubscribe(receive);
}

const channelOf = (name: keyof Measurements) => channel(`parley:${name}`);
