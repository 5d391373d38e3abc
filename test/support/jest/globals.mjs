/** Takes the place of `@jest/globals`, for modules that several test files share: imports are live bindings. */
export let expect, it, describe, beforeAll, beforeEach, afterEach, afterAll, jest;

export function setGlobals(ofTestFile) {
  ({ expect, it, describe, beforeAll, beforeEach, afterEach, afterAll, jest } = ofTestFile);
}
