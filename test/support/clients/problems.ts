import { expect } from '@jest/globals';
import type { Answer } from './http.js';

/** Expects an RFC 9457 problem. @param fields the invalid fields, in any order */
export function expectProblem(
  answer: Answer<unknown>,
  status: number,
  code: string,
  fields?: string[],
): void {
  expect(answer).toMatchObject({
    status,
    body: { status, code, type: 'about:blank', detail: expect.any(String) },
  });
  expect(answer.headers.get('Content-Type')).toMatch(/^application\/problem\+json/);
  if (!fields) return;
  const { errors } = answer.body as { errors: { field: string; message: string }[] };
  expect(errors.map(({ field }) => field).sort()).toEqual(fields.sort());
}

/** The invalid fields of a `validation_failed` problem, in the order of the answer. */
export function invalidFields(answer: Answer<unknown>): string[] {
  expectProblem(answer, 422, 'validation_failed');
  return (answer.body as { errors: { field: string }[] }).errors.map(({ field }) => field);
}
