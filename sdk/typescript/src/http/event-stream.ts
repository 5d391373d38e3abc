import { networkError } from '../error.js';
import { type LiveEvent, liveEvent } from '../live/events.js';

/** A server-sent event, with the position to resume from where the server gives one. */
export type StreamedEvent = LiveEvent & { readonly id: string | undefined };

/**
 * Requests server-sent events with the session's token: by POST where there is a body.
 * @throws {ParleyError} unless the server answers with events
 */
export type RequestEvents = (
  path: string,
  options: { body?: object; lastEventId?: string; signal: AbortSignal },
) => Promise<Response>;

/**
 * Reads server-sent events. Without streaming bodies (React Native) they come together at the end.
 * @param signal ends the stream
 * @param onData called whenever anything arrives, comments included
 */
export async function* readEvents(
  response: Response,
  signal: AbortSignal,
  onData: () => void = () => undefined,
): AsyncGenerator<StreamedEvent, void, undefined> {
  let rest = '';
  for await (const text of textOf(response, signal)) {
    onData();
    const blocks = (rest + text).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const event = parse(block);
      if (event) yield event;
    }
  }
}

async function* textOf(response: Response, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  if (!response.body) return yield await response.text();
  const reader = response.body.getReader();
  // Node drops the abort signal of a request that was garbage collected (nodejs/node#55428).
  const cancel = () => reader.cancel().catch(() => undefined);
  const decoder = new TextDecoder();
  signal.addEventListener('abort', cancel);
  try {
    while (!signal.aborted) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    await cancel();
  }
}

function parse(block: string): StreamedEvent | null {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trimStart();
  const [type, data] = [field('event'), field('data')];
  const event = type && data ? liveEvent(type, parseData(data)) : null;
  return event && { ...event, id: field('id') };
}

function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw networkError(error);
  }
}
