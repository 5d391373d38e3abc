const COMPLETIONS = '/chat/completions';

/** What is stored of a base URL as people paste it: without trailing slashes and the completions' own path. */
export function normaliseModelUrl(text: string): string {
  const url = withoutTrailingSlashes(text);
  return url.endsWith(COMPLETIONS) ? withoutTrailingSlashes(url.slice(0, -COMPLETIONS.length)) : url;
}

/** Whether they lead to the same scheme, host and port, and so to the same holder of the key. */
export function haveSameOrigin(one: string, other: string): boolean {
  if (!URL.canParse(one) || !URL.canParse(other)) return false;
  return new URL(one).origin === new URL(other).origin;
}

function withoutTrailingSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end--;
  return text.slice(0, end);
}
