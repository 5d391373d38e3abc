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
    `by the reason ${reason}`,
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
    `by the filter's reason ${reason}`,
    text('Hel') + choice({ delta: {}, finish_reason: reason }) + DONE,
    { content: 'Hel', error: { code: 'content_filtered' } },
  ]),
  [
    'by a reason that is an object',
    text('Hel') + choice({ delta: {}, finish_reason: { type: 'abort', message: 'Aborted' } }) + DONE,
    { content: 'Hel', finishReason: 'abort', error: { code: 'upstream_error' } },
  ],
  [
    'as an object of that name',
    event({ object: 'error', message: 'Too long', type: 'BadRequestError', code: 400 }) + DONE,
    { error: failed('Too long') },
  ],
  [
    'as an object of that name, after text',
    text('Hel') + event({ object: 'error', message: 'Died' }) + DONE,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'in x_groq',
    text('Hel') + event({ x_groq: { error: 'over capacity' }, choices: [{ delta: {} }] }) + DONE,
    { content: 'Hel', error: {} },
  ],
  ['as type error', event({ type: 'error', message: 'Died' }) + DONE, { error: failed('Died') }],
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
    'as an event',
    `${text('Hel')}event: error\ndata: {"message":"Died"}\n\n${DONE}`,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'as an event whose data is [DONE]',
    `${text('Hel')}event: error\n${DONE}`,
    { content: 'Hel', error: { code: 'upstream_error' } },
  ],
  [
    'in a field of llama.cpp',
    `${text('Hel')}error: {"code":500,"message":"Died"}\n\n`,
    { content: 'Hel', error: { detail: 'Died' } },
  ],
  [
    'as JSON in the middle of events',
    `${text('Hel')}{"error":{"message":"Died"}}\n`,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'after a provisional reason without an answer',
    choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' }) +
      event({ error: { message: 'Died' } }) +
      DONE,
    { reasoning: 'Hm', error: failed('Died') },
  ],
  [
    'but not where the error member is empty',
    event({ error: { code: null, message: '' }, choices: [{ delta: { content: 'a' } }] }) + DONE,
    { content: 'a' },
  ],
  [
    'but not where base_resp says success',
    event({ base_resp: { status_code: 0, status_msg: '' }, choices: [{ delta: { content: 'a' } }] }) + DONE,
    { content: 'a' },
  ],
]);

check('an empty reply is an error with a reason', p, [
  ['said nothing', FINISH + DONE, { finishReason: 'stop', error: empty(/said nothing/) }],
  ['said nothing, not even a reason', DONE, { error: empty(/said nothing/) }],
  ['only roles', delta({ role: 'assistant', content: '' }) + FINISH + DONE, { error: empty(/said nothing/) }],
  [
    'only white space',
    text(' \n') + text('\u00a0\t') + FINISH + DONE,
    { content: ' \n\u00a0\t', error: empty(/said nothing/) },
  ],
  [
    'only thinking',
    delta({ reasoning_content: 'Hm' }) + FINISH + DONE,
    { reasoning: 'Hm', error: empty(/said nothing after its thinking/) },
  ],
  [
    'allowance spent',
    delta({ reasoning_content: 'Hm' }) + choice({ delta: {}, finish_reason: 'length' }) + DONE,
    { error: empty(/allowance/) },
  ],
  [
    'allowance spent unseen',
    choice({ delta: { content: '' }, finish_reason: 'MAX_TOKENS' }) + DONE,
    { error: empty(/allowance/) },
  ],
  [
    'allowance spent within a tag',
    text('<think>Hm') + choice({ delta: {}, finish_reason: 'length' }) + DONE,
    { reasoning: 'Hm', content: '', error: empty(/allowance/) },
  ],
  [
    'a tool',
    delta({ tool_calls: [{ index: 0, function: { name: 'f' } }] }) +
      choice({ delta: {}, finish_reason: 'tool_calls' }) +
      DONE,
    { error: empty(/tool/) },
  ],
  [
    'a tool, although it stopped',
    delta({ function_call: { name: 'f' } }) + FINISH + DONE,
    { error: empty(/tool/) },
  ],
  ['keep-alives alone', ': hi\n\ndata: {}\n\n', { error: empty(/said nothing/) }],
  [
    'usage alone',
    event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) + DONE,
    { usage: { totalTokens: 3 } as never, error: empty(/said nothing/) },
  ],
]);

check('nothing after a finish fails the reply:', p, [
  ['an error', text('a') + FINISH + event({ error: { message: 'Died' } }) + DONE, { content: 'a' }],
  ['an error event', `${text('a')}${FINISH}event: error\ndata: Died\n\n`, { content: 'a' }],
  [
    'an error after a reason beside text',
    choice({ delta: { content: 'a' }, finish_reason: 'stop' }) + event({ error: { message: 'Died' } }),
    { content: 'a' },
  ],
  [
    'a failing reason',
    text('a') + FINISH + choice({ delta: {}, finish_reason: 'error' }) + DONE,
    { content: 'a' },
  ],
  ['a reset', [raw(text('a') + FINISH), rst()], { content: 'a' }],
  ['half a line', text('a') + FINISH + 'data: {"cho', { content: 'a' }],
  [
    'a line over 1 MiB, and its usage after it',
    `${text('a')}${FINISH}data: ${'x'.repeat(2 ** 20 + 9)}\n\n${event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })}${DONE}`,
    { content: 'a', usage: { totalTokens: 3 } as never },
  ],
  ['nonsense', `${text('a')}${FINISH}<html>\n\ndata: {x}\n\n`, { content: 'a' }],
]);

check('the end of a stream is classified', p, [
  ['clean, after text', text('a'), { content: 'a', finishReason: null }],
  ['clean, without the last blank line', text('a').trimEnd(), { content: 'a', finishReason: null }],
  [
    'cut after a usage chunk',
    [raw(text('a') + event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })), cut()],
    { content: 'a', finishReason: null },
  ],
  [
    'cut after a camel-case reason',
    [raw(text('a') + event({ choices: [{ delta: {}, finishReason: 'STOP' }] })), cut()],
    { content: 'a', finishReason: 'STOP' },
  ],
  [
    'not where the connection is cut',
    [raw(text('a')), cut()],
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'not where it is reset',
    [raw(text('a')), rst()],
    { content: 'a', error: { code: 'upstream_unreachable' } },
  ],
  [
    'not in the middle of an event',
    `${text('a')}data: {"choices":[{"del`,
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'not by usage in the middle',
    [
      raw(text('a') + event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) + text('b')),
      cut(),
    ],
    { content: 'ab', error: { code: 'upstream_bad_response' } },
  ],
  [
    'not where an answer that a reason had come before is cut',
    [raw(choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' }) + text('a')), cut()],
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'an error after usage in the middle',
    text('a') +
      event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) +
      event({ error: { message: 'Died' } }),
    { content: 'a', error: failed('Died') },
  ],
  ['[done] in quotes', [raw(`${text('a')}data: "[DONE]"\n\n`), stall()], { content: 'a' }],
  [
    'events parted by one newline',
    `${(text('a') + text('b') + FINISH + DONE).replaceAll('\n\n', '\n')}`,
    { content: 'ab', finishReason: 'stop' },
  ],
  [
    'garbage and events in one',
    `data: ping\n${(text('a') + text('b')).replaceAll('\n\n', '\n')}\n${DONE}`,
    { content: 'ab' },
  ],
]);

check(
  'time',
  p,
  [
    [
      'for the first text, whatever else comes',
      [raw(delta({ role: 'assistant' }) + text(' ')), pause(600), raw(text('a') + DONE)],
      { content: ' a' },
    ],
    [
      'for the second text is less',
      [raw(text('a')), pause(900), raw(text('b') + DONE)],
      { content: 'a', error: { code: 'upstream_timeout' } },
    ],
    [
      'runs for reasoning as for text',
      [raw(delta({ reasoning: 'a' })), pause(900), raw(text('b') + DONE)],
      { error: { code: 'upstream_timeout' } },
    ],
    [
      'after a reason beside text is not lengthened by usage',
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
      'that a reason beside text has left does not fail the reply',
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
    ['a line without end', 'x'],
    ['the finish chunk again', FINISH],
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
