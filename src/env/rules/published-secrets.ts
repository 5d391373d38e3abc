/**
 * Secrets printed in public documents: this repository's documents and test data, and tutorials that people copy from.
 * environment-documents.spec.ts compares the documents and test vectors of this repository with the list.
 */
const PUBLISHED_SECRETS: ReadonlySet<string> = new Set([
  // https://github.com/fernet/spec, also in test/data/fernet
  'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=',
  // test/data/fernet/python.json
  'w2V-BZbHXTboasGJ6l_VolnXBIrsBI_YE3FBGFv3hi8=',
  'mVkg8d1zZ9w22urUjT-sOy1nwImyy1c_2JxqTKv9k2U=',
  'osiAj3QajFjRCG19rR6vcjVTo7coZ_q2YqXdBxThrr4=',
  // https://www.jwt.io
  'a-string-secret-at-least-256-bits-long',
  // https://www.standardwebhooks.com and the README of its libraries
  'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
  // FastAPI's tutorial on JWT
  '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
]);

export function isPublished(secret: string): boolean {
  return PUBLISHED_SECRETS.has(secret);
}
