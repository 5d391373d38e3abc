/** Streams of other providers: where the text is. */
import { expect, it } from '@jest/globals';
import { cut, noDone, pause, raw } from '../support/provider/provider.js';
import {
  type Case,
  check,
  choice,
  delta,
  DONE,
  event,
  FINISH,
  text,
  useReaders,
} from '../support/provider/stream-cases.js';

const p = useReaders();

check('text is not lost', p, [
  [
    '3 s after a finish reason on a reasoning chunk',
    [
      raw(choice({ delta: { reasoning_content: 'Hm' }, finish_reason: 'stop' })),
      pause(3000),
      raw(text('Yes') + FINISH + DONE),
    ],
    { reasoning: 'Hm', content: 'Yes', finishReason: 'stop' },
  ],
  [
    'with a finish reason on each chunk',
    [
      raw(choice({ delta: { content: 'a' }, finish_reason: 'stop' })),
      pause(2500),
      raw(choice({ delta: { content: 'b' }, finish_reason: 'stop' }) + DONE),
    ],
    { content: 'ab', finishReason: 'stop' },
  ],
  [
    'after a finish reason alone',
    [raw(text('a') + FINISH), pause(1000), raw(text('b')), pause(2500), raw(text('c') + FINISH + DONE)],
    { content: 'abc' },
  ],
  [
    'with the finish reason "null"',
    [
      raw(
        choice({ delta: { content: 'a' }, finish_reason: 'null' }) +
          choice({ delta: {}, finish_reason: 'null' }),
      ),
      pause(2500),
      raw(text('b') + DONE),
    ],
    { content: 'ab', finishReason: null },
  ],
  [
    'with the finish reason "None" or an empty one',
    choice({ delta: { content: 'a' }, finish_reason: 'None' }) +
      choice({ delta: { content: 'b' }, finish_reason: '' }) +
      DONE,
    { content: 'ab', finishReason: null },
  ],
  ['with index 1', event({ choices: [{ index: 1, delta: { content: 'a' } }] }) + DONE, { content: 'a' }],
  ['with index "0"', event({ choices: [{ index: '0', delta: { content: 'a' } }] }) + DONE, { content: 'a' }],
  [
    'with an increasing index',
    [0, 1, 2].map((index) => event({ choices: [{ index, delta: { content: `${index}` } }] })).join('') + DONE,
    { content: '012' },
  ],
  [
    'of choice 0 of several',
    event({
      choices: [
        { index: 1, delta: { content: 'no' } },
        { index: 0, delta: { content: 'yes' } },
      ],
    }) + DONE,
    { content: 'yes' },
  ],
  ['in a list of strings', text(['a', 'b']) + DONE, { content: 'ab' }],
  [
    'in an object',
    text({ type: 'text', text: 'a' }) + text({ type: 'output_text', text: { value: 'b' } }) + DONE,
    { content: 'ab' },
  ],
  [
    'in `text`',
    event({ choices: [{ index: 0, text: 'a' }] }) +
      event({ choices: [{ index: 0, text: 'b', finish_reason: 'stop' }] }) +
      DONE,
    { content: 'ab' },
  ],
  [
    'of the first of several choices if none has index 0',
    event({ choices: [1, 2].map((index) => ({ index, delta: { content: `${index}` } })) }) + DONE,
    { content: '1' },
  ],
  ['in a number', text('4') + text(2) + text(0) + DONE, { content: '420' }],
  ['in a delta that is a string', delta('a') + DONE, { content: 'a' }],
  [
    'in a final message alone',
    event({
      choices: [{ index: 0, message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }],
    }) + DONE,
    { content: 'whole' },
  ],
  [
    'in a final message beside an empty delta',
    event({ choices: [{ delta: {}, message: { content: 'whole' }, finish_reason: 'stop' }] }),
    { content: 'whole' },
  ],
  [
    'nor duplicated by a final message',
    text('who') +
      text('le') +
      event({ choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }] }) +
      DONE,
    { content: 'whole' },
  ],
  [
    'and completed by a final message',
    text('who') + event({ choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }] }) + DONE,
    { content: 'whole' },
  ],
  [
    'nor duplicated by cumulative messages beside the deltas',
    ['a', 'b', 'c']
      .map((content, index) =>
        event({ choices: [{ delta: { content }, message: { content: 'abc'.slice(0, index + 1) } }] }),
      )
      .join('') +
      event({ choices: [{ delta: { content: '' }, message: { content: 'abcd' }, finish_reason: 'stop' }] }) +
      event({ choices: [{ delta: {}, message: { content: 'abcd' }, finish_reason: 'stop' }] }) +
      DONE,
    { content: 'abcd' },
  ],
  [
    'nor duplicated by a long message sent twice',
    event({ choices: [{ message: { content: 'long '.repeat(20) } }] }).repeat(2) + DONE,
    { content: 'long '.repeat(20) },
  ],
  [
    'in messages instead of deltas',
    event({ choices: [{ message: { content: 'a' } }] }) +
      event({ choices: [{ message: { content: 'a' } }] }) +
      DONE,
    { content: 'aa' },
  ],
  ['in a list of one chunk', event([{ choices: [{ delta: { content: 'a' } }] }]) + DONE, { content: 'a' }],
  [
    'before a connection that closes after the finish reason',
    [raw(choice({ delta: { content: 'a' }, finish_reason: 'stop' })), cut()],
    { content: 'a', finishReason: 'stop' },
  ],
]);

check('other lines are ignored', p, [
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
    text('a') + bytes + text('b') + FINISH + bytes + DONE,
    { content: 'ab', finishReason: 'stop' },
  ]),
]);

it('reads events separated by single newlines as they arrive', async () => {
  const many = Array.from({ length: 40_000 }, () => raw(text('x'.repeat(20)).trimEnd() + '\n'));

  const outcome = await p.reader.ask(...many, raw(`${FINISH}${DONE}`), noDone());

  expect(outcome).toMatchObject({ error: null, content: 'x'.repeat(800_000) });
});
