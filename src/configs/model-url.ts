/** Paths of endpoints, pasted after the base URL. `/models` alone may be a base (Azure AI Foundry). */
const ENDPOINT_PATH = /\/(?:chat\/completions|completions|v\d+\/(?:models|responses|messages|embeddings))$/i;
const CREDENTIAL_NAME = /key|token|secret|password|signature|credential|^(?:auth|authorization|sig|pwd)$/i;
/** Shorter values are not credentials: `?key=1`. */
const MIN_CREDENTIAL_LENGTH = 8;

/** Removes trailing slashes, an endpoint's path and an empty query from a base URL. */
export function normalizeModelUrl(text: string): string {
  const [path, ...query] = text.split('?');
  const search = query.join('?');
  return stripEndpointPath(path!) + (search && `?${search}`);
}

/** Whether both have the same scheme, host and port. */
export function haveSameOrigin(one: string, other: string): boolean {
  if (!URL.canParse(one) || !URL.canParse(other)) return false;
  return new URL(one).origin === new URL(other).origin;
}

/** Whether the query holds a credential, which belongs in `api_key`, where it is encrypted. */
export function hasCredentialInQuery(modelUrl: string): boolean {
  if (!URL.canParse(modelUrl)) return false;
  return [...new URL(modelUrl).searchParams].some(
    ([name, value]) => CREDENTIAL_NAME.test(name) && value.length >= MIN_CREDENTIAL_LENGTH,
  );
}

function stripEndpointPath(path: string): string {
  const bare = stripTrailingSlashes(path);
  const tail = ENDPOINT_PATH.exec(bare)?.[0];
  if (!tail) return bare;
  const version = /^\/v\d+/i.exec(tail)?.[0] ?? '';
  return stripTrailingSlashes(bare.slice(0, -tail.length)) + version;
}

function stripTrailingSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end--;
  return text.slice(0, end);
}
