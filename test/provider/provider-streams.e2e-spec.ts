import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import {
  type BrotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  deflateRawSync,
  deflateSync,
  type Gzip,
  gzipSync,
} from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AiReader, type Outcome } from '../support/provider/ai-reader.js';
import {
  cut,
  noDone,
  pause,
  type Piece,
  PlayedProvider,
  raw,
  rst,
  stall,
} from '../support/provider/provider.js';

let played: PlayedProvider;
let reader: AiReader;
let hasty: AiReader;

beforeAll(async () => {
  played = await PlayedProvider.start();
  reader = new AiReader(played);
  hasty = new AiReader(played, { upstreamIdleTimeoutSeconds: 0.3, upstreamFirstByteTimeoutSeconds: 1 });
});
afterAll(async () => {
  await Promise.all([reader.close(), hasty.close()]);
  await played.stop();
});

const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const choice = (choice: object) => event({ choices: [{ index: 0, finish_reason: null, ...choice }] });
const c = (delta: unknown) => choice({ delta });
const t = (content: unknown) => c({ content });
const F = choice({ delta: {}, finish_reason: 'stop' });
const D = 'data: [DONE]\n\n';

type Expected = Partial<Omit<Outcome, 'error'>> & { error?: Partial<Outcome['error']> };
/** The stream, bytes as they are, and what a reader has in the end: without an error where none is named. */
type Case = [name: string, stream: string | Piece[], expected: Expected];

function check(name: string, cases: Case[], from: () => AiReader = () => reader): void {
  describe(name, () => {
    it.each(cases)('%s', async (_, stream, expected) => {
      const pieces = typeof stream === 'string' ? [raw(stream)] : stream;

      // The same each time: some failures are tried again.
      played.default = [...pieces, noDone()];
      expect(await from().read()).toMatchObject({ error: null, ...expected });
    });
  });
}

const empty = (detail: RegExp) => ({
  code: 'upstream_empty' as const,
  detail: expect.stringMatching(detail) as unknown as string,
});
const failed = (detail: string) => ({ code: 'upstream_error' as const, detail });

check('text is not lost', [
  [
    'where reasoning comes with a finish reason, and the answer 3 s later',
    [
      raw(choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' })),
      pause(3000),
      raw(t('Yes') + F + D),
    ],
    { reasoning: 'Hm', content: 'Yes', finishReason: 'stop' },
  ],
  [
    'where each chunk has a finish reason',
    [
      raw(choice({ delta: { content: 'a' }, finish_reason: 'stop' })),
      pause(2500),
      raw(choice({ delta: { content: 'b' }, finish_reason: 'stop' }) + D),
    ],
    { content: 'ab', finishReason: 'stop' },
  ],
  [
    'where text goes on after a finish reason alone',
    [raw(t('a') + F), pause(1000), raw(t('b')), pause(2500), raw(t('c') + F + D)],
    { content: 'abc' },
  ],
  [
    'where the reason is "null"',
    [
      raw(
        choice({ delta: { content: 'a' }, finish_reason: 'null' }) +
          choice({ delta: {}, finish_reason: 'null' }),
      ),
      pause(2500),
      raw(t('b') + D),
    ],
    { content: 'ab', finishReason: null },
  ],
  [
    'where the reason is "None" or empty',
    choice({ delta: { content: 'a' }, finish_reason: 'None' }) +
      choice({ delta: { content: 'b' }, finish_reason: '' }) +
      D,
    { content: 'ab', finishReason: null },
  ],
  ['with index 1', event({ choices: [{ index: 1, delta: { content: 'a' } }] }) + D, { content: 'a' }],
  ['with index "0"', event({ choices: [{ index: '0', delta: { content: 'a' } }] }) + D, { content: 'a' }],
  [
    'with an index that counts up',
    [0, 1, 2].map((index) => event({ choices: [{ index, delta: { content: `${index}` } }] })).join('') + D,
    { content: '012' },
  ],
  [
    'of the choice 0 of several',
    event({
      choices: [
        { index: 1, delta: { content: 'no' } },
        { index: 0, delta: { content: 'yes' } },
      ],
    }) + D,
    { content: 'yes' },
  ],
  ['in a list of strings', t(['a', 'b']) + D, { content: 'ab' }],
  [
    'in an object',
    t({ type: 'text', text: 'a' }) + t({ type: 'output_text', text: { value: 'b' } }) + D,
    { content: 'ab' },
  ],
  [
    'in `text`',
    event({ choices: [{ index: 0, text: 'a' }] }) +
      event({ choices: [{ index: 0, text: 'b', finish_reason: 'stop' }] }) +
      D,
    { content: 'ab' },
  ],
  [
    'of the first of several where none has index 0',
    event({ choices: [1, 2].map((index) => ({ index, delta: { content: `${index}` } })) }) + D,
    { content: '1' },
  ],
  ['in a number', t('4') + t(2) + t(0) + D, { content: '420' }],
  ['in a delta that is a string', c('a') + D, { content: 'a' }],
  [
    'in a final message alone',
    event({
      choices: [{ index: 0, message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }],
    }) + D,
    { content: 'whole' },
  ],
  [
    'in a final message beside an empty delta',
    event({ choices: [{ delta: {}, message: { content: 'whole' }, finish_reason: 'stop' }] }),
    { content: 'whole' },
  ],
  [
    'nor doubled by a final message',
    t('who') + t('le') + event({ choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }] }) + D,
    { content: 'whole' },
  ],
  [
    'and completed by a final message',
    t('who') + event({ choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }] }) + D,
    { content: 'whole' },
  ],
  [
    'nor doubled by messages that grow beside the deltas',
    ['a', 'b', 'c']
      .map((content, index) =>
        event({ choices: [{ delta: { content }, message: { content: 'abc'.slice(0, index + 1) } }] }),
      )
      .join('') +
      event({ choices: [{ delta: { content: '' }, message: { content: 'abcd' }, finish_reason: 'stop' }] }) +
      event({ choices: [{ delta: {}, message: { content: 'abcd' }, finish_reason: 'stop' }] }) +
      D,
    { content: 'abcd' },
  ],
  [
    'nor doubled by a long message that comes twice',
    event({ choices: [{ message: { content: 'long '.repeat(20) } }] }).repeat(2) + D,
    { content: 'long '.repeat(20) },
  ],
  [
    'in messages instead of deltas',
    event({ choices: [{ message: { content: 'a' } }] }) +
      event({ choices: [{ message: { content: 'a' } }] }) +
      D,
    { content: 'aa' },
  ],
  ['in a list of one chunk', event([{ choices: [{ delta: { content: 'a' } }] }]) + D, { content: 'a' }],
  [
    'before a connection that is cut after the reason',
    [raw(choice({ delta: { content: 'a' }, finish_reason: 'stop' })), cut()],
    { content: 'a', finishReason: 'stop' },
  ],
]);

check('a failure is one', [
  [
    'in the choice',
    t('Hel') + choice({ error: { code: 502, message: 'Upstream died' }, finish_reason: 'error' }) + D,
    { content: 'Hel', error: failed('Upstream died') },
  ],
  [
    'in the choice before any text',
    choice({ error: { message: 'Upstream died' }, delta: { content: '' } }) + D,
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
    t('Hel') + choice({ delta: {}, finish_reason: reason }) + D,
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
    t('Hel') + choice({ delta: {}, finish_reason: reason }) + D,
    { content: 'Hel', error: { code: 'content_filtered' } },
  ]),
  [
    'by a reason that is an object',
    t('Hel') + choice({ delta: {}, finish_reason: { type: 'abort', message: 'Aborted' } }) + D,
    { content: 'Hel', finishReason: 'abort', error: { code: 'upstream_error' } },
  ],
  [
    'as an object of that name',
    event({ object: 'error', message: 'Too long', type: 'BadRequestError', code: 400 }) + D,
    { error: failed('Too long') },
  ],
  [
    'as an object of that name, after text',
    t('Hel') + event({ object: 'error', message: 'Died' }) + D,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'in x_groq',
    t('Hel') + event({ x_groq: { error: 'over capacity' }, choices: [{ delta: {} }] }) + D,
    { content: 'Hel', error: {} },
  ],
  ['as type error', event({ type: 'error', message: 'Died' }) + D, { error: failed('Died') }],
  [
    'as a code and a message',
    event({ code: 'Throttling', message: 'Died', request_id: '1' }) + D,
    { error: { detail: 'Died' } },
  ],
  [
    'as a status in base_resp',
    event({ choices: null, base_resp: { status_code: 1004, status_msg: 'Died' } }) + D,
    { error: {} },
  ],
  ['as an error_code', event({ error_code: 336003, error_msg: 'Died' }) + D, { error: {} }],
  [
    'as an event',
    `${t('Hel')}event: error\ndata: {"message":"Died"}\n\n${D}`,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'as an event whose data is [DONE]',
    `${t('Hel')}event: error\n${D}`,
    { content: 'Hel', error: { code: 'upstream_error' } },
  ],
  [
    'in a field of llama.cpp',
    `${t('Hel')}error: {"code":500,"message":"Died"}\n\n`,
    { content: 'Hel', error: { detail: 'Died' } },
  ],
  [
    'as JSON in the middle of events',
    `${t('Hel')}{"error":{"message":"Died"}}\n`,
    { content: 'Hel', error: failed('Died') },
  ],
  [
    'after a provisional reason without an answer',
    choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' }) +
      event({ error: { message: 'Died' } }) +
      D,
    { reasoning: 'Hm', error: failed('Died') },
  ],
  [
    'but not where the error member is empty',
    event({ error: { code: null, message: '' }, choices: [{ delta: { content: 'a' } }] }) + D,
    { content: 'a' },
  ],
  [
    'but not where base_resp says success',
    event({ base_resp: { status_code: 0, status_msg: '' }, choices: [{ delta: { content: 'a' } }] }) + D,
    { content: 'a' },
  ],
]);

check('an empty reply is a failure that says why', [
  ['said nothing', F + D, { finishReason: 'stop', error: empty(/said nothing/) }],
  ['said nothing, not even a reason', D, { error: empty(/said nothing/) }],
  ['only roles', c({ role: 'assistant', content: '' }) + F + D, { error: empty(/said nothing/) }],
  [
    'only white space',
    t(' \n') + t('\u00a0\t') + F + D,
    { content: ' \n\u00a0\t', error: empty(/said nothing/) },
  ],
  [
    'only thinking',
    c({ reasoning_content: 'Hm' }) + F + D,
    { reasoning: 'Hm', error: empty(/said nothing after its thinking/) },
  ],
  [
    'allowance spent',
    c({ reasoning_content: 'Hm' }) + choice({ delta: {}, finish_reason: 'length' }) + D,
    { error: empty(/allowance/) },
  ],
  [
    'allowance spent unseen',
    choice({ delta: { content: '' }, finish_reason: 'MAX_TOKENS' }) + D,
    { error: empty(/allowance/) },
  ],
  [
    'allowance spent within a tag',
    t('<think>Hm') + choice({ delta: {}, finish_reason: 'length' }) + D,
    { reasoning: 'Hm', content: '', error: empty(/allowance/) },
  ],
  [
    'a tool',
    c({ tool_calls: [{ index: 0, function: { name: 'f' } }] }) +
      choice({ delta: {}, finish_reason: 'tool_calls' }) +
      D,
    { error: empty(/tool/) },
  ],
  ['a tool, although it stopped', c({ function_call: { name: 'f' } }) + F + D, { error: empty(/tool/) }],
  ['keep-alives alone', ': hi\n\ndata: {}\n\n', { error: empty(/said nothing/) }],
  [
    'usage alone',
    event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) + D,
    { usage: { totalTokens: 3 } as never, error: empty(/said nothing/) },
  ],
]);

check('what comes in between is passed over', [
  ...[
    'data:\n\n',
    'data: \n\n',
    'data: : ping\n\n',
    'data: ping\n\n',
    'data: null\n\n',
    'data: 42\n\n',
    'data: "ping"\n\n',
    'data: {}\n\n',
    'data: []\n\n',
    'event: ping\ndata: {"error":"none"}\n\n',
    'event: keep-alive\ndata\n\n',
    'data: {nonsense}\n\n',
    'data: {"choices":[{"delta"\n\n',
    ': OPENROUTER PROCESSING\n\n',
    'garbage\n\n',
  ].map((bytes): Case => [
    JSON.stringify(bytes),
    t('a') + bytes + t('b') + F + bytes + D,
    { content: 'ab', finishReason: 'stop' },
  ]),
]);

check('nothing after a finish fails the reply:', [
  ['an error', t('a') + F + event({ error: { message: 'Died' } }) + D, { content: 'a' }],
  ['an error event', `${t('a')}${F}event: error\ndata: Died\n\n`, { content: 'a' }],
  [
    'an error after a reason beside text',
    choice({ delta: { content: 'a' }, finish_reason: 'stop' }) + event({ error: { message: 'Died' } }),
    { content: 'a' },
  ],
  ['a failing reason', t('a') + F + choice({ delta: {}, finish_reason: 'error' }) + D, { content: 'a' }],
  ['a reset', [raw(t('a') + F), rst()], { content: 'a' }],
  ['half a line', t('a') + F + 'data: {"cho', { content: 'a' }],
  [
    'a line over 1 MiB, and its usage after it',
    `${t('a')}${F}data: ${'x'.repeat(2 ** 20 + 9)}\n\n${event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })}${D}`,
    { content: 'a', usage: { totalTokens: 3 } as never },
  ],
  ['nonsense', `${t('a')}${F}<html>\n\ndata: {x}\n\n`, { content: 'a' }],
]);

check('an end is one', [
  ['clean, after text', t('a'), { content: 'a', finishReason: null }],
  ['clean, without the last blank line', t('a').trimEnd(), { content: 'a', finishReason: null }],
  [
    'cut after a usage chunk',
    [raw(t('a') + event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })), cut()],
    { content: 'a', finishReason: null },
  ],
  [
    'cut after a camel-case reason',
    [raw(t('a') + event({ choices: [{ delta: {}, finishReason: 'STOP' }] })), cut()],
    { content: 'a', finishReason: 'STOP' },
  ],
  [
    'not where the connection is cut',
    [raw(t('a')), cut()],
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  ['not where it is reset', [raw(t('a')), rst()], { content: 'a', error: { code: 'upstream_unreachable' } }],
  [
    'not in the middle of an event',
    `${t('a')}data: {"choices":[{"del`,
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'not by usage in the middle',
    [raw(t('a') + event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) + t('b')), cut()],
    { content: 'ab', error: { code: 'upstream_bad_response' } },
  ],
  [
    'not where an answer that a reason had come before is cut',
    [raw(choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' }) + t('a')), cut()],
    { content: 'a', error: { code: 'upstream_bad_response' } },
  ],
  [
    'an error after usage in the middle',
    t('a') +
      event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }) +
      event({ error: { message: 'Died' } }),
    { content: 'a', error: failed('Died') },
  ],
  ['[done] in quotes', [raw(`${t('a')}data: "[DONE]"\n\n`), stall()], { content: 'a' }],
  [
    'events parted by one newline',
    `${(t('a') + t('b') + F + D).replaceAll('\n\n', '\n')}`,
    { content: 'ab', finishReason: 'stop' },
  ],
  [
    'garbage and events in one',
    `data: ping\n${(t('a') + t('b')).replaceAll('\n\n', '\n')}\n${D}`,
    { content: 'ab' },
  ],
]);

it('reads events parted by one newline as they come, however many', async () => {
  const many = Array.from({ length: 40_000 }, () => raw(t('x'.repeat(20)).trimEnd() + '\n'));

  const outcome = await reader.ask(...many, raw(`${F}${D}`), noDone());

  expect(outcome).toMatchObject({ error: null, content: 'x'.repeat(800_000) });
});

const tags = ['think', 'thinking', 'thought', 'THINK', 'Thinking'].map((name) => [`<${name}>`, `</${name}>`]);
check('reasoning', [
  ...[...tags, ['[THINK]', '[/THINK]'], ['[think]', '[/think]']].map(([open, close]): Case => [
    `in ${open}`,
    [`${open}\nHm`, `, yes${close}\n\nAn`, 'swer <think>literal</think>'].map((text) => raw(t(text))),
    { reasoning: 'Hm, yes', content: 'Answer <think>literal</think>' },
  ]),
  [
    'in a tag in one piece, after white space',
    t('\n <think>Hm</think>Answer'),
    { reasoning: 'Hm', content: 'Answer' },
  ],
  [
    'in a tag, a character a chunk',
    [...'<think>Hm < 3</think>\n[Answer]<think>'].map((text) => raw(t(text))),
    { reasoning: 'Hm < 3', content: '[Answer]<think>' },
  ],
  ['in no tag', t('<think') + t('er> is no tag'), { reasoning: '', content: '<thinker> is no tag' }],
  [
    'in no tag, later in the text',
    t('A <think>literal</think> tag'),
    { reasoning: '', content: 'A <think>literal</think> tag', restarts: 0 },
  ],
  ['in an empty tag', t('<think>\n\n</think>\n\nAnswer'), { reasoning: '', content: 'Answer' }],
  [
    'before a closing tag alone',
    [raw(t('Hm, ')), raw(t('yes')), pause(50), raw(t('</thi')), raw(t('nk>\nAnswer</think>'))],
    { reasoning: 'Hm, yes', content: 'Answer</think>', restarts: 1 },
  ],
  [
    'before a closing tag alone, in one piece',
    t('Hm</think>Answer'),
    { reasoning: 'Hm', content: 'Answer', restarts: 0 },
  ],
  [
    'before a closing tag alone, in brackets',
    t('Hm') + t('[/THINK]Answer'),
    { reasoning: 'Hm', content: 'Answer', restarts: 1 },
  ],
  [
    'before a closing tag alone, at 200 KiB',
    [...Array.from({ length: 200 }, () => raw(t('x'.repeat(1024)))), raw(t('</think>Answer'))],
    { content: 'Answer', restarts: 1 },
  ],
  [
    'not before a closing tag alone past 256 KiB',
    [...Array.from({ length: 260 }, () => raw(t('x'.repeat(1024)))), raw(t('</think>Answer'))],
    { content: `${'x'.repeat(260 * 1024)}</think>Answer`, restarts: 0 },
  ],
  [
    'not before a closing tag after reasoning',
    c({ reasoning: 'Hm' }) + t('The tag </think>'),
    { reasoning: 'Hm', content: 'The tag </think>', restarts: 0 },
  ],
  ['not where nothing follows what looks like a tag', t('a <') + t('/think'), { content: 'a </think' }],
  [
    'all of it, where a closing tag alone ends it',
    t('Hm') + t('</think>') + F,
    { reasoning: 'Hm', content: '', error: empty(/after its thinking/) },
  ],
  [
    'in parts of type thinking',
    t([{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] }]) +
      t([{ type: 'text', text: 'Answer' }]),
    { reasoning: 'Hm', content: 'Answer' },
  ],
  [
    'in parts of type reasoning',
    t([
      { type: 'reasoning', reasoning: 'Hm' },
      { type: 'text', text: 'Answer' },
    ]),
    { reasoning: 'Hm', content: 'Answer' },
  ],
  ...[
    { thinking: 'Hm' },
    { reasoning_text: 'Hm' },
    { reasoning: 'Hm', reasoning_content: 'Hm' },
    { reasoning_details: [{ type: 'reasoning.text', text: 'Hm' }] },
    {
      reasoning: null,
      reasoning_details: [
        { type: 'reasoning.summary', summary: 'Hm' },
        { type: 'reasoning.encrypted', data: 'x' },
      ],
    },
    { reasoning: { content: 'Hm' } },
    { reasoning_content: ['H', { text: 'm' }] },
  ].map((delta): Case => [
    `in ${JSON.stringify(delta)}`,
    c({ ...delta, content: '' }) + t('Answer'),
    { reasoning: 'Hm', content: 'Answer' },
  ]),
]);

const counts = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
const zeros = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const counted = { usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } };

check('usage', [
  [
    'in x_groq beside zeros',
    t('a') + event({ choices: [], usage: zeros, x_groq: { usage: counts } }) + D,
    counted,
  ],
  ['in the choice beside zeros', t('a') + event({ choices: [{ usage: counts }], usage: zeros }) + D, counted],
  [
    'under one name beside zeros under another',
    t('a') + event({ choices: [], usage: { ...zeros, input_tokens: 1, output_tokens: 2 } }) + D,
    counted,
  ],
  [
    'of the prompt before that of the answer',
    event({ choices: [{ delta: { content: 'a' } }], usage: { input_tokens: 1 } }) +
      event({ choices: [], usage: { output_tokens: 2 } }) +
      D,
    counted,
  ],
  [
    'in the choice',
    t('a') +
      choice({
        delta: {},
        finish_reason: 'stop',
        usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
      }) +
      D,
    { usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } },
  ],
  [
    'of Groq',
    t('a') +
      event({
        choices: [{ delta: {}, finish_reason: 'stop' }],
        x_groq: { usage: { prompt_tokens: 1, completion_tokens: 2 } },
      }) +
      D,
    { usage: { totalTokens: 3 } as never },
  ],
  [
    'in other words',
    t('a') + event({ choices: [], usage: { input_tokens: 1, output_tokens: 2 } }) + D,
    { usage: { totalTokens: 3 } as never },
  ],
  [
    'as text',
    t('a') +
      event({ choices: [], usage: { prompt_tokens: '1', completion_tokens: '2', total_tokens: '3' } }) +
      D,
    { usage: { totalTokens: 3 } as never },
  ],
  [
    'before zeros',
    t('a') +
      event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } }) +
      event({ choices: [], usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }) +
      D,
    { usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } },
  ],
  [
    'that grows',
    t('a') +
      event({
        choices: [{ delta: {} }],
        usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
      }) +
      event({ choices: [], usage: { prompt_tokens: 0, completion_tokens: 4, total_tokens: 9 } }) +
      D,
    { usage: { promptTokens: 5, completionTokens: 4, totalTokens: 9 } },
  ],
  [
    'of zeros alone is none',
    t('a') + event({ choices: [], usage: { prompt_tokens: 0, completion_tokens: 0 } }) + D,
    { usage: null },
  ],
]);

const A = 'https://a.example/';
const B = 'https://b.example/x?y=1';
check('sources', [
  [
    'in citations',
    event({ citations: [A, B], choices: [{ delta: { content: 'a' } }] }) +
      event({ citations: [A, B], choices: [{ delta: { content: 'b' } }] }) +
      D,
    {
      sources: [
        { url: A, title: null },
        { url: B, title: null },
      ],
    },
  ],
  [
    'in search_results, which name the titles',
    event({
      citations: [B, A],
      search_results: [{ url: A, title: 'Page A', date: null }],
      choices: [{ delta: { content: 'a' } }],
    }) + D,
    {
      sources: [
        { url: B, title: null },
        { url: A, title: 'Page A' },
      ],
    },
  ],
  [
    'in annotations',
    c({
      content: 'a',
      annotations: [
        { type: 'url_citation', url_citation: { url: A, title: 'Page A', start_index: 0 } },
        { type: 'file' },
      ],
    }) +
      c({ annotations: [{ url_citation: { url: A, title: 'Other' } }] }) +
      D,
    { sources: [{ url: A, title: 'Page A' }] },
  ],
  [
    'in web_search',
    event({ web_search: [{ link: A, title: 'Page A' }], choices: [{ delta: { content: 'a' } }] }) + D,
    { sources: [{ url: A, title: 'Page A' }] },
  ],
  [
    'but no other schemes or shapes',
    event({
      citations: ['javascript:alert(1)', 'nonsense', 7, null, {}, { url: 'data:x' }],
      choices: [{ delta: { content: 'a' } }],
    }) + D,
    { sources: null },
  ],
]);

check(
  'time',
  [
    [
      'for the first text, whatever else comes',
      [raw(c({ role: 'assistant' }) + t(' ')), pause(600), raw(t('a') + D)],
      { content: ' a' },
    ],
    [
      'for the second text is less',
      [raw(t('a')), pause(900), raw(t('b') + D)],
      { content: 'a', error: { code: 'upstream_timeout' } },
    ],
    [
      'runs for reasoning as for text',
      [raw(c({ reasoning: 'a' })), pause(900), raw(t('b') + D)],
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
        raw(t('too late')),
      ],
      { content: 'a' },
    ],
    [
      'that a reason beside text has left does not fail the reply',
      [raw(choice({ delta: { content: 'a' }, finish_reason: 'stop' })), stall()],
      { content: 'a', finishReason: 'stop' },
    ],
  ],
  () => hasty,
);

describe('after a finish chunk', () => {
  it.each<[string, string]>([
    ['comments', ': ping\n\n'],
    ['keep-alives', 'data: {}\n\n'],
    ['null deltas', c({ content: null })],
    ['usage', event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })],
    ['white space', t(' ')],
    ['a line without end', 'x'],
    ['the finish chunk again', F],
  ])('%s for ever do not keep a reply', async (_, bytes) => {
    const start = Date.now();
    const noise = Array.from({ length: 100 }, () => [raw(bytes), pause(100)]).flat();

    expect(await reader.ask(raw(t('a') + F), ...noise, noDone())).toMatchObject({
      content: expect.stringMatching(/^a *$/),
      error: null,
    });
    expect(Date.now() - start).toBeLessThan(4_000);
  });
});

describe('a whole completion', () => {
  const completion = (message: object, more: object = {}) => ({
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    ...more,
  });

  it.each<[string, object | string, Expected]>([
    [
      'with a tag',
      completion({ content: '<think>Hm</think>\n\nAnswer' }),
      { reasoning: 'Hm', content: 'Answer', finishReason: 'stop' },
    ],
    [
      'with a closing tag alone',
      completion({ content: 'Hm</think>Answer' }),
      { reasoning: 'Hm', content: 'Answer', restarts: 0 },
    ],
    [
      'with reasoning',
      completion({ content: 'Answer', reasoning_content: 'Hm' }),
      { reasoning: 'Hm', content: 'Answer' },
    ],
    [
      'with sources and usage',
      completion({ content: 'Answer' }, { citations: [A], usage: { input_tokens: 1, output_tokens: '2' } }),
      { sources: [{ url: A, title: null }], usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } },
    ],
    ['with nothing in it', completion({ content: '' }), { error: empty(/said nothing/) }],
    ['with a tool', completion({ content: null, tool_calls: [{}] }), { error: empty(/tool/) }],
    ['with an error in its choice', { choices: [{ error: { message: 'Died' } }] }, { error: failed('Died') }],
    ['that is an error', { object: 'error', message: 'Died' }, { error: failed('Died') }],
    ['that is a list of one error', [{ error: { message: 'Died' } }], { error: failed('Died') }],
    ['that is a detail', { detail: 'Died' }, { error: failed('Died') }],
    [
      'in lines',
      [t('a'), t('b'), F].map((line) => line.slice(6).trimEnd()).join('\n'),
      { content: 'ab', finishReason: 'stop' },
    ],
    ['with a byte order mark', `\ufeff${JSON.stringify(completion({ content: 'a' }))}`, { content: 'a' }],
    [
      'as a sentence',
      'The model is asleep',
      { error: { code: 'upstream_bad_response', detail: 'The model is asleep' } },
    ],
    ['as text parts', completion({ content: [{ type: 'text', text: 'a' }] }), { content: 'a' }],
    [
      'as legacy text',
      { choices: [{ text: 'a', finish_reason: 'length' }] },
      { content: 'a', finishReason: 'length' },
    ],
  ])('%s', async (_, body, expected) => {
    played.willAnswer(200, body);

    expect(await reader.read()).toMatchObject({ error: null, ...expected });
  });
});

describe('Content-Encoding', () => {
  const stream = t('Grüße, 世界') + F + D;

  it.each<[string, string, Uint8Array]>([
    ['gzip', 'gzip', gzipSync(stream)],
    ['x-gzip in capitals', 'X-GZIP', gzipSync(stream)],
    ['br', 'br', brotliCompressSync(stream)],
    ['deflate', 'deflate', deflateSync(stream)],
    ['deflate without its header', 'deflate', deflateRawSync(stream)],
    ['one over the other', 'gzip, br', brotliCompressSync(gzipSync(stream))],
    ['gzip that is none', 'gzip', Buffer.from(stream)],
    ['identity', 'identity', Buffer.from(stream)],
  ])('%s is decoded', async (_, encoding, body) => {
    played.willAnswer(200, body, { 'Content-Encoding': encoding });
    expect(await reader.read()).toMatchObject({ content: 'Grüße, 世界', finishReason: 'stop', error: null });
  });

  it.each<[string, () => Gzip | BrotliCompress]>([
    ['gzip', () => createGzip({ flush: constants.Z_SYNC_FLUSH })],
    ['br', () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH })],
  ])('%s is decoded as it comes', async (encoding, create) => {
    const server = createHttpServer((_, response) => {
      response.writeHead(200, { 'Content-Encoding': encoding });
      const encoder = create();
      encoder.pipe(response);
      encoder.write(t('a')); // and nothing more
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;

    expect(await hasty.read(hasty.provider({ modelUrl }))).toMatchObject({
      content: 'a',
      error: { code: 'upstream_timeout' },
    });
    server.close();
  });

  it('is decoded to where the connection was cut', async () => {
    const server = createHttpServer((_, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip' });
      const encoder = createGzip({ flush: constants.Z_SYNC_FLUSH });
      encoder.on('data', (bytes) => response.write(bytes, () => response.destroy()));
      encoder.write(t('a'));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;

    expect(await reader.read(reader.provider({ modelUrl }))).toMatchObject({ content: 'a', error: {} });
    server.close();
  });

  it.each<[string, (text: string) => Uint8Array]>([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('%s is decoded in errors', async (encoding, encode) => {
    played.willAnswer(402, encode('{"error":{"message":"No such luck"}}'), { 'Content-Encoding': encoding });
    expect((await reader.read()).error).toMatchObject({ code: 'upstream_error', detail: 'No such luck' });
  });

  it('is no way around the limits', async () => {
    const bombs = [`data: ${'x'.repeat(64 * 2 ** 20)}`, t('x'.repeat(500_000)).repeat(40)];
    for (const bomb of bombs) {
      played.willAnswer(200, gzipSync(bomb), { 'Content-Encoding': 'gzip' });
      expect((await reader.read()).error).toMatchObject({ code: 'upstream_bad_response' });
    }
    played.willAnswer(402, gzipSync('x'.repeat(64 * 2 ** 20)), { 'Content-Encoding': 'gzip' });
    expect((await reader.read()).error?.detail.length).toBeLessThanOrEqual(500);
  });

  it('that is broken is a bad response', async () => {
    const broken = Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (let tries = 0; tries < 3; tries++) played.willAnswer(200, broken, { 'Content-Encoding': 'gzip' });
    expect((await reader.read()).error).toMatchObject({ code: 'upstream_bad_response' });
  });
});

describe('100 Continue', () => {
  const body = `HTTP/1.1 200 OK\r\nContent-Length: ${t('a').length}\r\n\r\n${t('a')}`;

  it.each<[string, string[]]>([
    ['alone', ['HTTP/1.1 100 Continue\r\n\r\n', body]],
    ['together with the answer', [`HTTP/1.1 100 Continue\r\n\r\n${body}`]],
    ['byte by byte', [...'HTTP/1.1 100 Continue\r\n\r\n', body]],
    ['after 103', [`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${body}`]],
    ['with headers, in pieces', ['HTTP/1.1 100 Cont', 'inue\r\nX: y\r\n\r', `\n${body}`]],
    [
      'twice, and another',
      [`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${body}`],
    ],
  ])('unasked is passed over: %s', async (_, pieces) => {
    const server = createServer((socket) => {
      socket.setNoDelay(true).on('error', () => {});
      socket.once('data', () =>
        pieces.forEach((piece, index) => setTimeout(() => socket.write(piece), index * 30)),
      );
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;

    expect(await reader.read(reader.provider({ modelUrl }))).toMatchObject({ content: 'a', error: null });
    server.close();
  });
});

describe('a config test', () => {
  it.each<[string, string, object]>([
    ['fails with a model that says nothing', F + D, { ok: false, error: empty(/said nothing/) }],
    [
      'fails with a model that only thinks',
      c({ reasoning_content: 'Hm' }) + choice({ delta: {}, finish_reason: 'length' }) + D,
      { ok: false, error: empty(/allowance/) },
    ],
    [
      'fails with a model that asks for a tool',
      c({ tool_calls: [{}] }) + F + D,
      { ok: false, error: empty(/tool/) },
    ],
    [
      'passes with a model that thinks first',
      c({ reasoning_content: 'Hm' }) + t('Hello') + F + D,
      { ok: true },
    ],
  ])('%s', async (_, stream, expected) => {
    played.willStream(raw(stream), noDone());
    expect(await reader.ai.test(reader.provider())).toMatchObject(expected);
  });
});
