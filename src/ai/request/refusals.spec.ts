import { describe, expect, it } from '@jest/globals';
import { ImagePart } from '../provider/prompt-content.js';
import { ProviderError, type ProviderErrorCode } from '../provider/provider.error.js';
import { type CompletionBody, isAboutValue, refusedIn } from './refusals.js';

const body = (more: object = {}): CompletionBody => ({
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
  ],
  stream: true,
  ...more,
});

const refusal = (text: string, status?: number, code: ProviderErrorCode = 'upstream_error') =>
  new ProviderError(code, text, { status });

describe('refusedIn', () => {
  it.each([
    'temperature',
    'top_p',
    'max_tokens',
    'max_completion_tokens',
    'frequency_penalty',
    'presence_penalty',
    'seed',
    'stop',
    'logit_bias',
    'reasoning_effort',
    'response_format',
    'verbosity',
  ])('finds the parameter %s by its quoted name, if the request has it', (param) => {
    const error = refusal(`Unknown parameter '${param}'`, 400);

    expect(refusedIn(error, body({ [param]: 1 }))).toEqual({ param });
    expect(refusedIn(error, body())).toBe('unknown');
  });

  it('takes the parameter that is mentioned first', () => {
    const both = body({ top_p: 1, temperature: 1 });

    expect(refusedIn(refusal('top_p cannot be used with temperature', 400), both)).toEqual({
      param: 'top_p',
    });
    expect(refusedIn(refusal('temperature cannot be used with top_p', 400), both)).toEqual({
      param: 'temperature',
    });
  });

  it.each([
    ['seed is not supported', 'unknown'],
    ['Does not support seed', { param: 'seed' }],
    ['unsupported parameter: seed', { param: 'seed' }],
    ['The seed of doubt is not here', 'unknown'],
    ['Please stop, this is not supported', 'unknown'],
    ['stop: not supported', { param: 'stop' }],
  ])('reads the common word in %j as %j', (text, refused) => {
    expect(refusedIn(refusal(text, 400), body({ seed: 1, stop: 'x' }))).toEqual(refused);
  });

  it.each([400, 403, 404, 405, 406, 413, 415, 422, 500, 501, 505, undefined])(
    'reads a refusal with status %s',
    (status) => {
      expect(refusedIn(refusal('top_p is not supported', status), body({ top_p: 1 }))).toEqual({
        param: 'top_p',
      });
    },
  );

  it.each([401, 402, 408, 409, 429, 502, 503, 504])('reads no refusal with status %i', (status) => {
    expect(refusedIn(refusal('top_p is not supported', status), body({ top_p: 1 }))).toBeUndefined();
  });

  it.each([
    ['upstream_auth', 403, { param: 'top_p' }],
    ['upstream_auth', 401, undefined],
    ['content_filtered', 400, undefined],
    ['upstream_rate_limited', undefined, undefined],
  ] as const)('reads %s with status %s as %j', (code, status, refused) => {
    expect(refusedIn(refusal('top_p is not supported', status, code), body({ top_p: 1 }))).toEqual(refused);
  });

  it.each([
    [400, 'unknown'],
    [422, 'unknown'],
    [undefined, undefined],
    [404, undefined],
    [500, undefined],
  ])('reads a refusal of nothing in particular with status %s as %s', (status, refused) => {
    expect(refusedIn(refusal('No.', status), body())).toBe(refused);
  });

  it('takes a name for a refusal only beside words of refusal, unless the request is bad', () => {
    const withTopP = body({ top_p: 1 });

    expect(refusedIn(refusal('Crashed at top_p', 500), withTopP)).toBeUndefined();
    expect(refusedIn(refusal('Crashed at top_p', 400), withTopP)).toEqual({ param: 'top_p' });
    expect(refusedIn(refusal('Crashed at top_p', 422), withTopP)).toEqual({ param: 'top_p' });
  });

  it('finds a refused usage only if usage was requested, and not in a rate limit', () => {
    const withUsage = body({ stream_options: { include_usage: true } });

    expect(refusedIn(refusal('include_usage is unknown', 503), withUsage)).toBe('usage');
    expect(refusedIn(refusal('include_usage is unknown', 503), body())).toBeUndefined();
    expect(refusedIn(refusal('stream_options', 429, 'upstream_rate_limited'), withUsage)).toBeUndefined();
  });

  it('finds a refused stream or system prompt only if the request has it', () => {
    const { messages } = body();
    const stream = refusal('Streaming is not supported', 400);
    const system = refusal('System role not supported', 400);

    expect(refusedIn(stream, body())).toBe('stream');
    expect(refusedIn(stream, body({ stream: false }))).toBe('unknown');
    expect(refusedIn(system, body())).toBe('system');
    expect(refusedIn(system, body({ messages: messages.slice(1) }))).toBe('unknown');
  });

  it.each([
    'stream\nextra inputs are not permitted',
    'Streaming has not been enabled for this model',
    "stream isn't available here",
    'stream: unsupported value',
    'stream is unavailable',
    'streaming has been disabled',
    'stream must be false',
    '参数 stream 目前不支持',
    'Not yet supported: real streaming',
    'Unsupported value for stream',
    "This model doesn't support a stream",
    'Cannot return a stream',
    'Unable to stream the answer',
    'Your organization must be verified to stream this model',
    'Disable streaming',
    '该模型不支持流式输出',
  ])('finds a refused stream in %j', (text) => {
    expect(refusedIn(refusal(text, 400), body())).toBe('stream');
  });

  it.each(['The stream broke', 'Upstream is not supported', '不支持该参数'])(
    'finds no refused stream in %j',
    (text) => expect(refusedIn(refusal(text, 400), body())).toBe('unknown'),
  );

  it.each([
    'No system prompt is allowed',
    'developer_message is not supported',
    'system: instruction is not supported',
    '不支持 system 角色',
    'Unexpected role',
    'unexpected message role',
    'The role cannot be developer',
    "Must not be 'system'",
    'Must not be `developer`',
    'Conversation roles must alternate',
    'The first message must be user',
    'After the optional first message, users come at even index',
    'Only user and assistant roles are supported',
    "Only 'user' or 'assistant' messages, please",
    'messages.0.role is invalid',
    'messages[0].role is invalid',
  ])('finds a refused system prompt in %j', (text) => {
    expect(refusedIn(refusal(text, 400), body())).toBe('system');
  });

  it.each(['The system is busy', 'messages.1.role is invalid', 'messages0role is invalid'])(
    'finds no refused system prompt in %j',
    (text) => expect(refusedIn(refusal(text, 400), body())).toBe('unknown'),
  );

  it('finds refused images only if the request has some', () => {
    const image = new ImagePart({ url: 'data:' }, { name: 'a.png', width: 1, height: 1, isCurrent: true });
    const withImage = body({ messages: [{ role: 'user', content: [image] }] });

    expect(refusedIn(refusal('This model cannot read an image', 400), withImage)).toBe('images');
    expect(refusedIn(refusal('No vision', 404), withImage)).toBe('images');
    expect(refusedIn(refusal('This model cannot read an image', 400), body())).toBe('unknown');
  });
});

describe('isAboutValue', () => {
  it.each(['max_tokens is too large', 'must be at most 4096', '取值范围 [0, 1]', 'Expected <= 8192'])(
    'holds for %j',
    (text) => expect(isAboutValue(text)).toBe(true),
  );
  it('does not hold for a name', () => expect(isAboutValue('Unknown parameter: max_tokens')).toBe(false));
});
