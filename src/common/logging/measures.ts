import { channel } from 'node:diagnostics_channel';

/** What is measured, by name. */
export interface Measures {
  'reply.ended': { status: string };
  /** From a send to the first text of its reply. */
  'reply.begun': { seconds: number };
  /** One write of the text of all running replies. */
  'replies.saved': { seconds: number; rows: number };
  'send.refused': { code: string };
  'upstream.asked': Record<string, never>;
  'upstream.retried': Record<string, never>;
  /** From a request to the first text of its answer. */
  'upstream.begun': { hostClass: string; seconds: number };
}

/** Publishes a measurement where it is taken; without a subscriber it is dropped. Never called for each token. */
export function measure<Name extends keyof Measures>(name: Name, measured: Measures[Name]): void {
  channelOf(name).publish(measured);
}

/** Subscribes to the process's measurements. @returns what ends the subscription */
export function onMeasure<Name extends keyof Measures>(
  name: Name,
  listener: (measured: Measures[Name]) => void,
): () => void {
  const receive = (message: unknown) => listener(message as Measures[Name]);
  channelOf(name).subscribe(receive);
  return () => void channelOf(name).unsubscribe(receive);
}

const channelOf = (name: keyof Measures) => channel(`parley:${name}`);
