import { describe, expect, it } from '@jest/globals';
import { sentenceIn } from './error-body.js';
import { statusIn } from './error-class.js';
import { cpuMs } from '../../../test/support/cpu-time.js';

describe('sentenceIn', () => {
  it.each<[what: string, body: unknown, sentence: string | undefined]>([
    ['OpenAI', { error: { message: 'No such key', type: 'x', param: null, code: 'y' } }, 'No such key'],
    [
      'Google’s list',
      [{ error: { code: 400, message: 'API key not valid.', status: 'X' } }],
      'API key not valid.',
    ],
    ['a list of text', ['No such key'], 'No such key'],
    ['a bare string', 'Unauthorized', 'Unauthorized'],
    ['a bare string that ends with a number', 'Rate limited for 30', 'Rate limited for 30'],
    ['{detail}', { detail: 'Not Found' }, 'Not Found'],
    [
      'FastAPI',
      { detail: [{ loc: ['body', 'max_tokens'], msg: 'must be > 0', type: 'x' }] },
      'max_tokens: must be > 0',
    ],
    [
      'two FastAPI errors',
      {
        detail: [
          { loc: ['body', 'a'], msg: 'field required' },
          { loc: ['body', 'b', 0], msg: 'too short' },
        ],
      },
      'a: field required; b.0: too short',
    ],
    ['Mistral', { object: 'error', message: { detail: [{ loc: ['body', 'x'], msg: 'extra' }] } }, 'x: extra'],
    ['{errors} of objects', { errors: [{ message: 'One' }, { message: 'Two' }] }, 'One; Two'],
    ['{errors} of text', { success: false, errors: ['One'] }, 'One'],
    ['{errors} by field', { errors: { model: ['is unknown to us'] } }, 'is unknown to us'],
    ['MiniMax', { choices: null, base_resp: { status_code: 1004, status_msg: 'login fail' } }, 'login fail'],
    ['Baidu', { error_code: 110, error_msg: 'Access token invalid' }, 'Access token invalid'],
    [
      'Alibaba',
      { code: 'InvalidApiKey', message: 'Invalid API-key provided.', request_id: '1' },
      'Invalid API-key provided.',
    ],
    ['OAuth', { error: 'invalid_client', error_description: 'No such client' }, 'No such client'],
    ['RFC 9457', { type: 'about:blank', title: 'Forbidden', detail: 'Not for you' }, 'Not for you'],
    [
      'Anthropic',
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
      'Overloaded',
    ],
    [
      '{error} as text',
      { error: 'model "x" not found, try pulling it first' },
      'model "x" not found, try pulling it first',
    ],
    ['an error type alone', { error: { type: 'overloaded_error' } }, 'overloaded_error'],
    [
      'a sentence in an unknown member',
      { foo: { bar: 'The model is loading' }, id: 'abc' },
      'The model is loading',
    ],
    [
      'OpenRouter',
      {
        error: {
          message: 'Provider returned error',
          code: 502,
          metadata: { raw: '{"error":{"message":"Overloaded"}}', provider_name: 'X' },
        },
      },
      'Provider returned error: Overloaded',
    ],
    [
      'OpenRouter with a sentence in raw',
      { error: { message: 'Provider returned error', metadata: { raw: 'Slow down' } } },
      'Provider returned error: Slow down',
    ],
    [
      'OpenRouter without raw',
      { error: { message: 'No endpoints', metadata: { raw: null } } },
      'No endpoints',
    ],
    [
      'JSON in a sentence',
      { error: { message: 'litellm.BadRequestError: OpenAIException - {"error":{"message":"No luck"}}' } },
      'litellm.BadRequestError: OpenAIException: No luck',
    ],
    [
      'Python’s repr in a sentence',
      { message: "Error code: 400 - {'error': {'message': 'No luck', 'type': 'x'}}" },
      'Error code: 400: No luck',
    ],
    ['JSON in JSON', { message: '{"message":"{\\"detail\\":\\"No luck\\"}"}' }, 'No luck'],
    ['JSON that was cut off', '{"error":{"message":"No luck","type":"inval', 'No luck'],
    ['lines of JSON', '{"error":{"message":"No luck"}}\n{"error":{"message":"More"}}', 'No luck'],
    ['data: before JSON', 'data: {"error":{"message":"No luck"}}\n\n', 'No luck'],
    ['error: before JSON', 'error: {"code":500,"message":"No luck"}', 'No luck'],
    ['an event', 'event: error\ndata: {"message":"No luck"}\n\n', 'No luck'],
    [
      'Alibaba with a code in brackets',
      { message: '<400> Error: Range of top_p' },
      '<400> Error: Range of top_p',
    ],
    ['AWS', { Message: 'Forbidden' }, 'Forbidden'],
    ['a byte order mark', '\ufeff{"message":"No luck"}', 'No luck'],
    ['plain text', '404 page not found', '404 page not found'],
    ['text with brackets', '[ERROR] no slot {id} is free', '[ERROR] no slot {id} is free'],
    ['text with a list', "does not support parameters: ['stop']", "does not support parameters: ['stop']"],
    ['an HTML page', '<html><body>502</body></html>', undefined],
    ['an HTML page in JSON', { message: '<!doctype html>' }, undefined],
    ['JSON without words', '{"a":1,"b":[true]}', undefined],
    ['broken JSON without words', '{"a":1,', undefined],
    ['an object without words', { a: 1, b: { c: null } }, undefined],
    ['binary data', '\u001f\ufffd\b\0\0\0\0\0', undefined],
    ['an empty body', '', undefined],
    ['white space', ' \n ', undefined],
    ['null', null, undefined],
    ['a number', 7, undefined],
  ])('finds the sentence, if any, in %s', (_, body, sentence) => expect(sentenceIn(body)).toBe(sentence));

  const MEMBERS = [
    ...['message', 'Message', 'msg', 'detail', 'error_description', 'error_msg', 'error_message'],
    ...['errorMessage', 'error', 'errors', 'base_resp', 'status_msg', 'details', 'response', 'body', 'data'],
    ...['reason', 'description', 'title', 'type', 'code', 'status'],
  ];

  it.each(MEMBERS.map((name, index) => [name, MEMBERS[index + 1] ?? 'unknown']))(
    'takes a word in the member %s, rather than one in %s',
    (name, next) => {
      expect(sentenceIn({ [next]: 'Later', [name]: 'Earlier' })).toBe('Earlier');
    },
  );

  it.each(['message', 'msg', 'detail', 'error_msg'])('finds %s in JSON that was cut off', (name) => {
    expect(sentenceIn(`{"error": {"${name}": "No \\"luck\\" today", "type": "inv`)).toBe('No "luck" today');
  });

  it('joins the first five sentences of a list, each once', () => {
    expect(sentenceIn(['One', 'One', 'Two', 'Three', 'Four', 'Five'])).toBe('One; Two; Three; Four');
  });

  it('limits depth and width of the search', () => {
    const deep = JSON.parse('{"error":'.repeat(5000) + '{"message":"x"}' + '}'.repeat(5000)) as unknown;
    const wide = { error: Object.fromEntries(Array.from({ length: 200_000 }, (_, n) => [`k${n}`, {}])) };
    const bushy = (depth: number): object =>
      depth === 0
        ? {}
        : Object.fromEntries(['error', 'message', 'detail', 'a', 'b', 'c'].map((n) => [n, bushy(depth - 1)]));
    const tree = bushy(6);

    const spent = cpuMs(() => {
      expect(sentenceIn(tree)).toBeUndefined();
      expect(sentenceIn(deep)).toBeUndefined();
      expect(statusIn(deep)).toBeUndefined();
      expect(sentenceIn(wide)).toBeUndefined();
      expect(statusIn(wide)).toBeUndefined();
      for (const text of ['{"', '[{', ' ', '- ', "{'message': '", '\\"', 'data: '])
        sentenceIn(text.repeat(100_000));
    });

    expect(spent).toBeLessThan(3000);
  });
});

describe('statusIn', () => {
  it.each<[unknown, number | undefined]>([
    [{ error: { code: 429, message: 'x' } }, 429],
    [{ error: { code: '503' } }, 503],
    [{ code: 401, message: 'x' }, 401],
    [{ status: 403 }, 403],
    [{ error: { status: 'UNAUTHENTICATED' } }, 401],
    [{ error: { code: 'invalid_api_key' } }, 401],
    [{ type: 'error', error: { type: 'overloaded_error' } }, 500],
    [{ error: { type: 'rate_limit_error' } }, 429],
    [{ error: { code: 'insufficient_quota' } }, 429],
    [{ error: { type: 'server_error' } }, 500],
    [{ error: { code: 'InternalServiceError' } }, 500],
    [{ error: { status: 'INTERNAL' } }, 500],
    [{ error: { type: 'exceeded_current_quota_error' } }, 429],
    [{ error: 'Rate limit exceeded' }, 429],
    [{ error: { type: 'invalid_authentication_error' } }, 401],
    [{ error: { type: 'permission_denied_error' } }, 403],
    [{ base_resp: { status_code: 1004 } }, 401],
    [{ base_resp: { status_code: 1002 } }, 429],
    [{ error: { message: 'x', code: null } }, undefined],
    [{ error: { code: 20041 } }, undefined],
    ['Overloaded', undefined],
    ...['code', 'status', 'status_code', 'http_code', 'error_code', 'type', 'error'].map(
      (name): [unknown, number] => [{ message: 'x', [name]: 429 }, 429],
    ),
    ...Object.entries({ 1002: 429, 1004: 401, 1013: 500, 1039: 429, 2013: 400, 2049: 401 }).map(
      ([code, status]): [unknown, number] => [{ base_resp: { status_code: Number(code) } }, status],
    ),
    [{ code: 400 }, 400],
    [{ code: 399 }, undefined],
    [{ code: 599 }, 599],
    [{ code: 600 }, undefined],
    [{ code: 'access_denied' }, 403],
    [{ code: 'bad_gateway' }, 500],
  ])('finds in %j the status %s', (body, status) => expect(statusIn(body)).toBe(status));
});
