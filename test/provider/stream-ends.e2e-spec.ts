/** Streams of other providers: how they end and fail. */
import { describe, expect, it } from '@jest/globals';
import { cut, noDone, pause, raw, rst, stall } from '../support/provider/provider.js';
import {
  type Case,
  check,
  choice,
  delta,
  DONE,
  empty,
  event,
  failed,
  FINISH,
  text,
  useReaders,
} from '../support/provider/stream-cases.js';

const p = useReaders();

check('an error is detected', p, [
  [
    'as the first sentence in the events of a stream without text',
    'data: The model is asleep\n\ndata: Come back later\n\n' + DONE,
    { error: { code: 'upstream_bad_response', detail: 'The model is asleep' } },
  ],
  [
    'in the choice',
    text('Hel') + choice({ error: { code: 502, message: 'Upstream died' }, finish_reason: 'error' }) + DONE,
    { content: 'Hel', error: failed('Upstream died') },
  ],
  [
    'in the choice before any text',
    choice({ error: { message: 'Upstream died' }, delta: { content: '' } }) + DONE,
    { error: failed('Upstream died') },
  ],
  ...[
    'error',
    'network_error',
    'abort',
    'aborted',
    'cancelled',
    'server_error',
    'insufficient_system_resource',
    'timeout',
  ].map((reason): Case => [
    `by the finish reason ${reason}`,
    text('Hel') + choice({ delta: {}, finish_reason: reason }) + DONE,
    { content: 'Hel', finishReason: reason, error: { code: 'upstream_error' } },
  ]),
  ...[
    'content_filter',
    'sensitive',
    'SAFETY',
    'PROHIBITED_CONTENT',
    'RECITATION',
    'content_filter: SPII',
    'refusal',
    'guardrail_intervened',
  ].map((reason): Case => [
    `by the finish reason ${reason} of a content filter`,
    text('Hel') + choice({ delta: {}, finish_reason: reason }) + DONE,
    { content: 'Hel', error: { code: 'content_filtered' } },
  ]),
  [
    'by a finish reason that is an object',
    text('Hel') + choice({ delta: {}, finish_reason: { type: 'abort', message: 'Aborted' } }) + DONE,
    { content: 'Hel', finishReason: 'abort', error: { code: 'upstream_error' } },
  ],
  [
    'as an object of type error',
    event({ object: 'error', message: 'Too long', type: 'BadRequestError', code: 400 }) + DONE,
    { error: failed('Too long') },
  ],
  [
    'as an object of type error, after text',
    text('Hel') + event({ object: 'error', message: 'Died' }) + DONE,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'in x_groq',
    text('Hel') + event({ x_groq: { error: 'over capacity' }, choices: [{ delta: {} }] }) + DONE,
    { content: 'Hel', error: {} },
  ],
  [
    'as an event with the type error',
    event({ type: 'error', message: 'Died' }) + DONE,
    { error: failed('Died') },
  ],
  [
    'as a code and a message',
    event({ code: 'Throttling', message: 'Died', request_id: '1' }) + DONE,
    { error: { detail: 'Died' } },
  ],
  [
    'as a status in base_resp',
    event({ choices: null, base_resp: { status_code: 1004, status_msg: 'Died' } }) + DONE,
    { error: {} },
  ],
  ['as an error_code', event({ error_code: 336003, error_msg: 'Died' }) + DONE, { error: {} }],
  [
    'as a server-sent event error',
    `${text('Hel')}event: error\ndata: {"message":"Died"}\n\n${DONE}`,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'as a server-sent event error whose data is [DONE]',
    `${text('Hel')}event: error\n${DONE}`,
    { content: 'Hel', error: { code: 'upstream_error' } },
  ],
  [
    'in llama.cpp’s field error',
    `${text('Hel')}error: {"code":500,"message":"Died"}\n\n`,
    { content: 'Hel', error: { detail: 'Died' } },
  ],
  [
    'as bare JSON between events',
    `${text('Hel')}{"error":{"message":"Died"}}\n`,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'after a finish reason without text',
    choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' }) +
      event({ error: { message: 'Died' } }) +
      DONE,
    { reasoning: 'Hm', error: failed('Died') },
  ],
  [
    'but not in an empty error member',
    event({ error: { code: null, message: '' }, choices: [{ delta: { content: 'a' } }] }) + DONE,
    { content: 'a' },
  ],
  [
    'but not in a base_resp of status 0',
    event({ base_resp: { status_code: 0, status_msg: '' }, choices: [{ delta: { content: 'a' } }] }) + DONE,
    { content: 'a' },
  ],
]);

check('an empty reply is an error with a reason', p, [
  ['a finish reason only', FINISH + DONE, { finishReason: 'stop', error: empty(/said nothing/) }],
  ['only [DONE]', DONE, { error: empty(/said nothing/) }],
  [
    'only a role',
    delta({ role: 'assistant', content: '' }) + FINISH + DONE,
    { error: empty(/said nothing/) },
  ],
  [
    'only white space',
    text(' \n') + text('\u00a0\t') + FINISH + DONE,
    { content: ' \n\u00a0\t', error: empty(/said nothing/) },
  ],
  [
    'only reasoning',
    delta({ reasoning_content: 'Hm' }) + FINISH + DONE,
    { reasoning: 'Hm', error: empty(/said nothing after its thinking/) },
  ],
  [
    'reasoning up to the token limit',
    delta({ reasoning_content: 'Hm' }) + choice({ delta: {}, finish_reason: 'length' }) + DONE,
    { error: empty(/allowance/) },
  ],
  [
    'no text up to the token limit',
    choice({ delta: { content: '' }, finish_reason: 'MAX_TOKENS' }) + DONE,
    { error: empty(/allowance/) },
  ],
  [
    'an open thinking tag up to the token limit',
    text('<think>Hm') + choice({ delta: {}, finish_reason: 'length' }) + DONE,
    { reasoning: 'Hm', content: '', error: empty(/allowance/) },
  ],
  [
    'a tool call',
    delta({ tool_calls: [{ index: 0, function: { name: 'f' } }] }) +
      choice({ delta: {}, finish_reason: 'tool_calls' }) +
      DONE,
    { error: empty(/tool/) },
  ],
  [
    'a tool call with finish reason stop',
    delta({ function_call: { name: 'f' } }) + FINISH + DONE,
    { error: empty(/tool/) },
  ],
  ['only keep-alives', ': hi\n\ndata: {}\n\n', { error: empty(/said nothing/) }],
  [
    'only usage',
    event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) + DONE,
    { usage: { totalTokens: 3 } as never, error: empty(/said nothing/) },
  ],
]);

check('nothing after a finish fails the reply:', p, [
  ['an error', text('a') + FINISH + event({ error: { message: 'Died' } }) + DONE, { content: 'a' }],
  ['an error event', `${text('a')}${FINISH}event: error\ndata: Died\n\n`, { content: 'a' }],
  [
    'an error after a finish reason on a text chunk',
    choice({ delta: { content: 'a' }, finish_reason: 'stop' }) + event({ error: { message: 'Died' } }),
    { content: 'a' },
  ],
  [
    'a finish reason error',
    text('a') + FINISH + choice({ delta: {}, finish_reason: 'error' }) + DONE,
    { content: 'a' },
  ],
  ['a connection reset', [raw(text('a') + FINISH), rst()], { content: 'a' }],
  ['a truncated line', text('a') + FINISH + 'data: {"cho', { content: 'a' }],
  [
    'a line over 1 MiB, with usage after it',
    `${text('a')}${FINISH}data: ${'x'.repeat(2 ** 20 + 9)}\n\n${event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })}${DONE}`,
    { content: 'a', usage: { totalTokens: 3 } as never },
  ],
  ['invalid data', `${text('a')}${FINISH}<html>\n\ndata: {x}\n\n`, { content: 'a' }],
]);

check('the end of a stream is classified', p, [
  ['complete after text without a finish reason', text('a'), { content: 'a', finishReason: null }],
  ['complete without the last blank line', text('a').trimEnd(), { content: 'a', finishReason: null }],
  [
    'complete if closed after a usage chunk',
    [raw(text('a') + event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })), cut()],
    { content: 'a', finishReason: null },
  ],
  [
    'complete if closed after a camel-case finish reason',
    [raw(text('a') + event({ choices: [{ delta: {}, finishReason: 'STOP' }] })), cut()],
    { content: 'a', finishReason: 'STOP' },
  ],
  [
    'an error if the connection closes',
    [raw(text('a')), cut()],
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'an error if the connection is reset',
    [raw(text('a')), rst()],
    { content: 'a', error: { code: 'upstream_unreachable' } },
  ],
  [
    'an error in the middle of an event',
    `${text('a')}data: {"choices":[{"del`,
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'an error after text that follows usage',
    [
      raw(text('a') + event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) + text('b')),
      cut(),
    ],
    { content: 'ab', error: { code: 'upstream_bad_response' } },
  ],
  [
    'an error if the connection closes in text after a finish reason',
    [raw(choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' }) + text('a')), cut()],
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'an error event after usage',
    text('a') +
      event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) +
      event({ error: { message: 'Died' } }),
    { content: 'a', error: failed('Died') },
  ],
  ['complete at [DONE] in quotes', [raw(`${text('a')}data: "[DONE]"\n\n`), stall()], { content: 'a' }],
  [
    'complete with events separated by one newline',
    `${(text('a') + text('b') + FINISH + DONE).replaceAll('\n\n', '\n')}`,
    { content: 'ab', finishReason: 'stop' },
  ],
  [
    'complete with invalid data within an event',
    `data: ping\n${(text('a') + text('b')).replaceAll('\n\n', '\n')}\n${DONE}`,
    { content: 'ab' },
  ],
]);

check(
  'timeouts',
  p,
  [
    [
      'the first text has the longer timeout, also after other deltas',
      [raw(delta({ role: 'assistant' }) + text(' ')), pause(600), raw(text('a') + DONE)],
      { content: ' a' },
    ],
    [
      'later text has the shorter timeout',
      [raw(text('a')), pause(900), raw(text('b') + DONE)],
      { content: 'a', error: { code: 'upstream_timeout' } },
    ],
    [
      'reasoning counts as text',
      [raw(delta({ reasoning: 'a' })), pause(900), raw(text('b') + DONE)],
      { error: { code: 'upstream_timeout' } },
    ],
    [
      'usage does not extend the timeout after a finish reason on a text chunk',
      [
        raw(choice({ delta: { content: 'a' }, finish_reason: 'stop' })),
        ...Array.from({ length: 20 }, () => [
          pause(100),
          raw(event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })),
        ]).flat(),
        raw(text('too late')),
      ],
      { content: 'a' },
    ],
    [
      'a timeout after a finish reason on a text chunk completes the reply',
      [raw(choice({ delta: { content: 'a' }, finish_reason: 'stop' })), stall()],
      { content: 'a', finishReason: 'stop' },
    ],
  ],
  'hasty',
);

describe('after a finish chunk', () => {
  it.each<[string, string]>([
    ['comments', ': ping\n\n'],
    ['keep-alives', 'data: {}\n\n'],
    ['null deltas', delta({ content: null })],
    ['usage', event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })],
    ['white space', text(' ')],
    ['parts of an unterminated line', 'x'],
    ['finish chunks', FINISH],
  ])('endless %s do not keep a reply open', async (_, bytes) => {
    const start = Date.now();
    const noise = Array.from({ length: 100 }, () => [raw(bytes), pause(100)]).flat();

    expect(await p.reader.ask(raw(text('a') + FINISH), ...noise, noDone())).toMatchObject({
      content: expect.stringMatching(/^a *$/),
      error: null,
    });
    expect(Date.now() - start).toBeLessThan(4_000);
  });
});
