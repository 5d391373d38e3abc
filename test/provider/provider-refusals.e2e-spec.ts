import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { type CompletionBody, PlayedProvider, type Refusal } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());
beforeEach(async () => {
  provider = await PlayedProvider.start();
  ada = await t.user().create();
});
afterEach(() => provider.stop());

/** Sends a message with these params in a new conversation; all calls of a test use one configuration. */
async function send(params: object = {}, system_prompt: string | null = null) {
  if (!ada.configId) {
    const config = { model_url: provider.url, model_name: 'strict', api_key: 'sk-test' };
    ada.configId = (await ada.post('/auth/config/create', config)).body.id;
  }
  const { id } = await ada.createConversation({ title: 'Strict', params, system_prompt });
  const { body } = await ada.send(id, 'Hi');
  return body.assistant_message;
}

const COMPLETE = { status: 'complete', content: 'Hello from the model.' };
const own = ({ model: _, messages: _m, ...others }: CompletionBody) => others;
const asked = () => provider.chats.map(({ body }) => own(body));
const openAi = (message: string, param: string | null = null, code: string | null = null): object => ({
  error: { message, type: 'invalid_request_error', param, code },
});
const fastApi = (...loc: string[]): object => ({
  detail: [
    { type: 'extra_forbidden', loc: ['body', ...loc], msg: 'Extra inputs are not permitted', input: 1 },
  ],
});
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const WITHOUT_USAGE = { stream: true };

describe('stream_options', () => {
  it.each<[string, Refusal]>([
    ['OpenAI’s message', [400, openAi("Unrecognized request argument: 'stream_options'")]],
    ['Groq’s message', [400, openAi("property 'stream_options' is unsupported, did you mean 'stream'?")]],
    ['Mistral’s message', [422, { object: 'error', message: fastApi('stream_options', 'include_usage') }]],
    ['FastAPI’s message', [422, fastApi('stream_options')]],
    ['a message that names no parameter', [400, openAi('Param Incorrect')]],
    ['an empty body', [422, '']],
    ['Chinese', [400, { error: { message: '参数错误', code: '1210' } }]],
    ['a binary body', [400, Buffer.from([0, 1, 2, 0xff])]],
    ['501', [501, { message: 'stream_options is not implemented' }]],
    ['403', [403, { message: 'include_usage is not allowed for your plan' }]],
    ['a TypeError with 500', [500, { detail: "unexpected keyword argument 'stream_options'" }]],
    ['an error with 200', [200, { error: { message: 'stream_options: unknown field' } }]],
    ['MiniMax’s message with 200', [200, { base_resp: { status_code: 2013, status_msg: 'invalid params' } }]],
    ['an error event', [200, `data: ${JSON.stringify(openAi('Bad', 'stream_options'))}\n\n`]],
  ])('refused with %s are omitted in a retry and in later requests', async (_, refusal) => {
    provider.refuse = ({ stream_options }) => (stream_options ? refusal : undefined);

    expect(await send()).toMatchObject(COMPLETE);
    expect(await send()).toMatchObject({ ...COMPLETE, usage: { estimated: true } });

    expect(asked()).toEqual([STREAMED, WITHOUT_USAGE, WITHOUT_USAGE]);
  });

  it('are omitted in the last try after errors without a message', async () => {
    provider.refuse = ({ stream_options }) => (stream_options ? [500, 'Internal Server Error'] : undefined);

    expect(await send()).toMatchObject(COMPLETE);
    await send();

    expect(asked()).toEqual([STREAMED, STREAMED, WITHOUT_USAGE, WITHOUT_USAGE]);
  });

  it('cost one more request each time if they are not the cause', async () => {
    provider.refuse = () => [400, openAi('The prompt is too long')];

    expect(await send()).toMatchObject({ status: 'failed', error: { detail: 'The prompt is too long' } });
    provider.refuse = undefined;
    expect(await send()).toMatchObject({ ...COMPLETE, usage: { estimated: false } });

    expect(asked()).toEqual([STREAMED, WITHOUT_USAGE, STREAMED]);
  });

  it.each<[string, Refusal]>([
    ['a filtered prompt', [400, openAi('Held back', null, 'content_filter')]],
    ['a wrong key', [401, openAi('No such key')]],
    ['an unknown model', [404, openAi('The model does not exist', 'model')]],
  ])('are not omitted after %s', async (_, refusal) => {
    provider.refuse = () => refusal;

    expect(await send()).toMatchObject({ status: 'failed' });
    expect(asked()).toEqual([STREAMED]);
  });
});

describe('streaming', () => {
  it.each<[string, Refusal]>([
    [
      'o1’s message',
      [
        400,
        openAi(
          "Unsupported value: 'stream' does not support true with this model.",
          'stream',
          'unsupported_value',
        ),
      ],
    ],
    [
      'a message about the organization',
      [
        400,
        openAi('Your organization must be verified to stream this model.', 'stream', 'unsupported_value'),
      ],
    ],
    ['Bedrock’s message', [400, { message: 'The model is unsupported for streaming' }]],
    ['a list', [422, { error: ['Error in `stream`: `stream` is not supported for this model'] }]],
    ['FastAPI’s message', [422, fastApi('stream')]],
    ['501', [501, { detail: "Streaming isn't supported" }]],
    ['an error with 200', [200, { error: { message: 'This model does not support streaming.' } }]],
    ['Chinese', [400, { message: '该模型不支持流式输出' }]],
    ['403', [403, { message: 'Streaming is disabled for this key' }]],
    [
      'a message about a temporary outage',
      [422, { error: 'Streaming is currently unavailable for this model' }],
    ],
  ])('refused with %s is disabled in a retry and in later requests', async (_, refusal) => {
    provider.refuse = ({ stream }) => (stream ? refusal : undefined);

    expect(await send()).toMatchObject(COMPLETE);
    expect(await send()).toMatchObject(COMPLETE);

    expect(asked().map(({ stream }) => stream)).toEqual([true, false, false]);
    expect(asked().at(-1)).toEqual({ stream: false });
  });

  it('is not disabled after an error within a stream', async () => {
    let times = 0;
    provider.refuse = () =>
      times++ ? undefined : [500, { message: 'stream error: unexpected EOF upstream' }];

    expect(await send()).toMatchObject(COMPLETE);
    expect(asked()).toEqual([STREAMED, STREAMED]);
  });
});

describe('the system role', () => {
  it.each<[string, Refusal]>([
    ['Gemma’s template', [400, { object: 'error', message: 'System role not supported', code: 400 }]],
    [
      'llama.cpp',
      [500, { error: { code: 500, message: 'System role not supported', type: 'server_error' } }],
    ],
    [
      'o1-mini',
      [
        400,
        openAi(
          "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
          'messages[0].role',
        ),
      ],
    ],
    [
      'Google with a list',
      [400, [{ error: { code: 400, message: 'Developer instruction is not enabled for models/x' } }]],
    ],
    [
      'Mistral’s template',
      [400, openAi('Conversation roles must alternate user/assistant/user/assistant/...')],
    ],
    [
      'an enum error',
      [
        422,
        { detail: [{ loc: ['body', 'messages', 0, 'role'], msg: "Input should be 'user' or 'assistant'" }] },
      ],
    ],
    ['Baidu', [200, { error_code: 336006, error_msg: 'the role of message with even index must be user' }]],
    ['a plain sentence', [400, { message: 'invalid role: system' }]],
    ['LM Studio', [400, { error: 'Error: Only user and assistant roles are supported!' }]],
    [
      'a message about system_instruction',
      [400, { message: 'The input system_instruction is not supported.' }],
    ],
    [
      'OpenRouter with another provider’s message',
      [
        400,
        {
          error: {
            message: 'Provider returned error',
            code: 400,
            metadata: { raw: '{"error":{"message":"Developer instruction is not enabled"}}' },
          },
        },
      ],
    ],
  ])(
    'refused by %s is merged into the first user message, in a retry and in later requests',
    async (_, refusal) => {
      provider.refuse = ({ messages }) => (messages?.[0]?.role === 'system' ? refusal : undefined);

      expect(await send({}, 'Be brief.')).toMatchObject(COMPLETE);
      expect(await send({}, 'Be brief.')).toMatchObject(COMPLETE);
      expect(await send()).toMatchObject(COMPLETE);

      const folded = [{ role: 'user', content: 'Be brief.\n\nHi' }];
      expect(provider.chats.slice(1).map(({ body }) => body.messages)).toEqual([
        folded,
        folded,
        [{ role: 'user', content: 'Hi' }],
      ]);
    },
  );
});

describe('a refusal for one API key', () => {
  it('does not affect requests with another key', async () => {
    provider.refuse = ({ stream }, _, headers) =>
      stream && headers.authorization === 'Bearer sk-test'
        ? [400, openAi('Your organization must be verified to stream this model.', 'stream')]
        : undefined;
    await send();
    const bob = await t
      .user()
      .withConfig(provider, { model_name: 'strict', api_key: 'sk-verified' })
      .create();
    const { id } = await bob.createConversation({ title: 'Strict' });
    await bob.send(id, 'Hi');

    expect(asked().map(({ stream }) => stream)).toEqual([true, false, true]);
  });
});

describe('a parameter', () => {
  const unsupported = (name: string, instead = '') =>
    openAi(
      `Unsupported parameter: '${name}' is not supported with this model.${instead}`,
      name,
      'unsupported_parameter',
    );

  it.each<[string, string, string, object]>([
    [
      'OpenAI',
      'max_tokens',
      'max_completion_tokens',
      unsupported('max_tokens', " Use 'max_completion_tokens' instead."),
    ],
    [
      'Azure',
      'max_tokens',
      'max_completion_tokens',
      {
        error: {
          message: "Use 'max_completion_tokens' instead of 'max_tokens'",
          code: 'invalid_request_body',
        },
      },
    ],
    [
      'Mistral',
      'max_completion_tokens',
      'max_tokens',
      { object: 'error', message: fastApi('max_completion_tokens') },
    ],
    [
      'Google',
      'max_completion_tokens',
      'max_tokens',
      [
        {
          error: {
            code: 400,
            message:
              'Invalid JSON payload received. Unknown name "max_completion_tokens": Cannot find field.',
          },
        },
      ],
    ],
  ])(
    'for the length is renamed when %s refuses %s, in a retry and in later requests',
    async (_, refused, taken, body) => {
      provider.refuse = (request) => (refused in request ? [400, body] : undefined);

      expect(await send({ [refused]: 9 })).toMatchObject(COMPLETE);
      expect(await send({ [refused]: 5 })).toMatchObject(COMPLETE);

      expect(asked()).toEqual([
        { ...STREAMED, [refused]: 9 },
        { ...STREAMED, [taken]: 9 },
        { ...STREAMED, [taken]: 5 },
      ]);
    },
  );

  it('for the length is dropped if refused under both names, with this value only', async () => {
    provider.refuse = ({ max_tokens: one, max_completion_tokens: other }) =>
      one || other ? [400, openAi('Not for you', one ? 'max_tokens' : 'max_completion_tokens')] : undefined;

    for (const max_tokens of [900, 900]) expect(await send({ max_tokens })).toMatchObject(COMPLETE);

    expect(asked()).toEqual([
      { ...STREAMED, max_tokens: 900 },
      { ...STREAMED, max_completion_tokens: 900 },
      STREAMED,
      STREAMED,
    ]);
  });

  it.each([
    'max_tokens is too large: 900. This model supports at most 100 completion tokens.',
    'Invalid max_tokens value, the valid range of max_tokens is [1, 100]',
    '`max_tokens` must be less than or equal to `100`',
    'max_tokens参数非法：取值范围[1,100]',
    'max_tokens 超过上限',
  ])('for the length keeps its name if its value is refused: %s', async (message) => {
    provider.refuse = ({ max_tokens }) => (Number(max_tokens) > 100 ? [400, openAi(message)] : undefined);

    for (const max_tokens of [900, 900, 50]) expect(await send({ max_tokens })).toMatchObject(COMPLETE);

    expect(asked()).toEqual([
      { ...STREAMED, max_tokens: 900 },
      STREAMED,
      STREAMED,
      { ...STREAMED, max_tokens: 50 },
    ]);
  });

  it('for the length is not renamed if it already has the right name', async () => {
    provider.refuse = (body) => ('max_tokens' in body ? [400, unsupported('max_tokens')] : undefined);

    await send({ max_tokens: 9 });
    await send({ max_completion_tokens: 5 });

    expect(asked().at(-1)).toEqual({ ...STREAMED, max_completion_tokens: 5 });
    expect(asked()).toHaveLength(3);
  });

  it.each<[string, object, Refusal]>([
    [
      'temperature',
      { temperature: 0.7 },
      [400, openAi("Unsupported value: 'temperature' does not support 0.7 with this model.", 'temperature')],
    ],
    ['temperature', { temperature: 0.7 }, [400, openAi('`temperature` is deprecated for this model.')]],
    [
      'temperature',
      { temperature: 0.7 },
      [400, { message: 'invalid temperature: only 1 is allowed for this model' }],
    ],
    [
      'temperature',
      { temperature: 0.7 },
      [200, { error: { message: 'temperature must be 1', code: '400' } }],
    ],
    ['top_p', { top_p: 0.7 }, [422, fastApi('top_p')]],
    [
      'presence_penalty',
      { presence_penalty: 1 },
      [
        400,
        {
          message: "litellm.UnsupportedParamsError: openai does not support parameters: ['presence_penalty']",
        },
      ],
    ],
    ['stop', { stop: ['x'] }, [400, unsupported('stop')]],
    ['seed', { seed: 1 }, [400, [{ error: { message: 'Unknown name "seed": Cannot find field.' } }]]],
    ['seed', { seed: 1 }, [400, openAi('Unrecognized request argument supplied: seed')]],
    ['stop', { stop: ['x'] }, [400, { error: 'Model grok-4 does not support parameter stop.' }]],
    [
      'presence_penalty',
      { presence_penalty: 1 },
      [400, { error: 'Argument not supported: presencePenalty' }],
    ],
    ['top_p', { top_p: 0.7 }, [400, { message: '#/topP: extraneous key [topP] is not permitted' }]],
    ['top_p', { top_p: 1 }, [400, openAi('<400> InvalidParameter: Range of top_p should be (0.0, 1.0)')]],
    [
      'reasoning_effort',
      { reasoning_effort: 'low' },
      [400, { error: 'Unrecognized request argument supplied: reasoning_effort' }],
    ],
    ['logit_bias', { logit_bias: { 1: 1 } }, [500, { message: 'logit_bias is not supported' }]],
    [
      'response_format',
      { response_format: { type: 'json_object' } },
      [400, openAi('Not supported', 'response_format.type')],
    ],
    ['verbosity', { verbosity: 'low' }, [400, unsupported('verbosity')]],
  ])('%s is dropped when refused, in a retry and in later requests: %j', async (name, params, refusal) => {
    provider.refuse = (body) => (name in body ? refusal : undefined);

    expect(await send(params)).toMatchObject(COMPLETE);
    expect(await send(params)).toMatchObject(COMPLETE);

    expect(asked()).toEqual([{ ...STREAMED, ...params }, STREAMED, STREAMED]);
  });

  it('is dropped after another, for models that refuse one parameter at a time', async () => {
    const refused = ['max_tokens', 'temperature', 'top_p'];
    provider.refuse = (body) => {
      const name = refused.find((each) => each in body);
      return name ? [400, unsupported(name)] : undefined;
    };

    expect(await send({ temperature: 0.5, top_p: 1, max_tokens: 9, seed: 1 })).toMatchObject(COMPLETE);

    expect(asked().at(-1)).toEqual({ ...STREAMED, max_completion_tokens: 9, seed: 1 });
    expect(asked()).toHaveLength(4);
  });

  it('is remembered with its value, so other values are still sent', async () => {
    provider.refuse = ({ temperature }) =>
      (temperature as number) > 1 ? [400, openAi('temperature must be at most 1', 'temperature')] : undefined;

    for (const temperature of [2, 0.5]) await send({ temperature });

    expect(asked()).toEqual([{ ...STREAMED, temperature: 2 }, STREAMED, { ...STREAMED, temperature: 0.5 }]);
  });

  it('of extra_body is never dropped', async () => {
    provider.refuse = ({ store }) => (store === false ? [400, unsupported('store')] : undefined);

    expect(await send({ extra_body: { store: false } })).toMatchObject({ status: 'failed' });
    expect(asked().every(({ store }) => store === false)).toBe(true);
  });

  it('is dropped only a few times per reply by a provider that refuses everything', async () => {
    provider.refuse = () => [400, openAi('temperature, top_p, max_tokens, stream, system role: invalid')];

    expect(await send({ temperature: 1, top_p: 1, max_tokens: 1 }, 'Be brief.')).toMatchObject({
      status: 'failed',
    });
    expect(asked().length).toBeLessThan(9);
  });
});
