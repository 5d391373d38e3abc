import { createParley } from '@parley/client';

/** The page may be served under a path that a proxy strips. */
const baseUrl = new URL('.', document.baseURI).href;

export const storage = siteStorage();
export const parley = createParley({ baseUrl, storage });

/** Browsers that block site data throw. */
function siteStorage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
