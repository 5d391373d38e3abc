import { type LiveEvent, liveEvent } from '../live/events.js';

/** Reads server-sent events. Without streaming bodies (React Native) they come together at the end. */
export async function* readEvents(response: Response): AsyncGenerator<LiveEvent, void, undefined> {
  let rest = '';
  for await (const text of textOf(response)) {
    const blocks = (rest + text).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const event = parse(block);
      if (event) yield event;
    }
  }
}

async function* textOf(response: Response): AsyncGenerator<string, void, undefined> {
  if (!response.body) return yield await response.text();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function parse(block: string): LiveEvent | null {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trimStart();
  const [type, data] = [field('event'), field('data')];
  return type && data ? liveEvent(type, JSON.parse(data)) : null;
}
