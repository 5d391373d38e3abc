import { describe, expect, it } from '@jest/globals';
import { HttpException } from '@nestjs/common';
import {
  ConflictError,
  invalidField,
  NotFoundError,
  ProblemError,
  RateLimitedError,
  UnavailableError,
  ValidationFailedError,
} from './errors.js';
import { toProblem, toProblemError } from './problem.js';

/** An error as Express middleware throws it. */
const middlewareError = (status: number, expose = true) =>
  Object.assign(new Error('Message of the middleware.'), { status, expose });

const read = (error: unknown) => {
  const { code, detail, extras } = toProblemError(error);
  return { status: toProblemError(error).getStatus(), code, detail, extras };
};

describe('an error of the framework', () => {
  it.each([
    [400, 'bad_request', 'The request could not be read; is the body well-formed JSON?'],
    [403, 'forbidden', 'Message.'],
    [404, 'not_found', 'There is nothing at this address.'],
    [405, 'method_not_allowed', 'Message.'],
    [406, 'not_acceptable', 'Message.'],
    [413, 'body_too_large', 'The body is too large.'],
    [415, 'unsupported_media_type', 'The body must be JSON in UTF-8 (Content-Type: application/json).'],
    [418, 'internal_error', 'Message.'],
    [422, 'validation_failed', 'Message.'],
    [429, 'rate_limited', 'Message.'],
    [500, 'internal_error', 'Something went wrong on our side.'],
    [503, 'unavailable', 'Something went wrong on our side.'],
  ])('with the status %i has the code %s', (status, code, detail) => {
    expect(read(new HttpException('Message.', status))).toEqual({ status, code, detail, extras: {} });
  });
});

describe('an error of middleware', () => {
  it.each([
    [middlewareError(413), 413, 'body_too_large'],
    [middlewareError(400), 400, 'bad_request'],
    [middlewareError(499), 499, 'internal_error'],
    [middlewareError(413, false), 500, 'internal_error'],
    [middlewareError(399), 500, 'internal_error'],
    [middlewareError(500), 500, 'internal_error'],
    [middlewareError(0), 500, 'internal_error'],
  ])('%# has its status if that may be shown', (error, status, code) => {
    expect(read(error)).toMatchObject({ status, code });
  });
});

describe('an unexpected error', () => {
  it.each([[new Error('secret')], [new TypeError('secret')], ['secret'], [{}]])(
    '%# shows nothing of its cause',
    (error) =>
      expect(read(error)).toEqual({
        status: 500,
        code: 'internal_error',
        detail: 'Something went wrong on our side.',
        extras: {},
      }),
  );
});

describe('a database that is unavailable', () => {
  it('is a problem of its own', () => {
    expect(read(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toMatchObject({
      ...{ status: 503, code: 'database_unavailable', extras: { retryAfterSeconds: 5 } },
    });
  });
});

describe('a problem', () => {
  it('stays what it is', () => {
    const error = new ConflictError('taken', 'Taken.');
    expect(toProblemError(error)).toBe(error);
  });

  it('has the members of RFC 9457 and its own', () => {
    const errors = [{ field: 'name', message: 'Is too long.' }];
    const error = new ProblemError(422, 'bad', 'Bad.', { errors, members: { limit: 3 } });
    expect(toProblem(error, 'request', '/path')).toEqual({
      ...{ type: 'about:blank', title: 'Unprocessable Entity', status: 422, detail: 'Bad.' },
      ...{ instance: '/path', code: 'bad', request_id: 'request', errors, limit: 3 },
    });
    expect(toProblem(new ProblemError(499, 'odd', 'Odd.')).title).toBe('Error');
  });

  it.each<[ProblemError, object]>([
    [new NotFoundError(), { status: 404, code: 'not_found', detail: 'There is no such resource.' }],
    [new NotFoundError('file'), { status: 404, detail: 'There is no such file.' }],
    [
      invalidField('name', 'Is empty.'),
      {
        ...{ status: 422, code: 'validation_failed', detail: 'The request has bad fields: name.' },
        extras: { errors: [{ field: 'name', message: 'Is empty.' }] },
      },
    ],
    [
      new ValidationFailedError(['a', 'b', 'a'].map((field) => ({ field, message: 'Is bad.' }))),
      { detail: 'The request has bad fields: a, b.' },
    ],
    [
      new ConflictError('busy', 'Busy.', { id: 3 }),
      { status: 409, code: 'busy', detail: 'Busy.', extras: { members: { id: 3 } } },
    ],
    [new UnavailableError('down', 'Down.'), { status: 503, code: 'down', extras: { retryAfterSeconds: 5 } }],
    [new UnavailableError('down', 'Down.', 9), { extras: { retryAfterSeconds: 9 } }],
    [
      new RateLimitedError(7),
      {
        ...{ status: 429, code: 'rate_limited', detail: 'Too many requests.' },
        extras: { retryAfterSeconds: 7, headers: {} },
      },
    ],
    [new RateLimitedError(7, 'Later.', { A: 'b' }), { detail: 'Later.', extras: { headers: { A: 'b' } } }],
  ])('%# has the fields of its kind', (error, fields) => {
    expect(read(error)).toMatchObject(fields);
  });
});
