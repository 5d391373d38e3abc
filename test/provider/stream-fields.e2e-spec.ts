/** Streams of other providers: reasoning, usage and sources. */
import { pause, raw } from '../support/provider/provider.js';
import {
  type Case,
  check,
  choice,
  delta,
  DONE,
  empty,
  event,
  FINISH,
  text,
  useReaders,
} from '../support/provider/stream-cases.js';

const p = useReaders();

const tags = ['think', 'thinking', 'thought', 'THINK', 'Thinking'].map((name) => [`<${name}>`, `</${name}>`]);

check('reasoning', p, [
  ...[...tags, ['[THINK]', '[/THINK]'], ['[think]', '[/think]']].map(([open, close]): Case => [
    `in ${open}`,
    [`${open}\nHm`, `, yes${close}\n\nAn`, 'swer <think>literal</think>'].map((piece) => raw(text(piece))),
    { reasoning: 'Hm, yes', content: 'Answer <think>literal</think>' },
  ]),
  [
    'in a tag in one delta, after white space',
    text('\n <think>Hm</think>Answer'),
    { reasoning: 'Hm', content: 'Answer' },
  ],
  [
    'in a tag split into single characters',
    [...'<think>Hm < 3</think>\n[Answer]<think>'].map((piece) => raw(text(piece))),
    { reasoning: 'Hm < 3', content: '[Answer]<think>' },
  ],
  [
    'not after an unknown tag',
    text('<think') + text('er> is no tag'),
    { reasoning: '', content: '<thinker> is no tag' },
  ],
  [
    'not in a tag later in the text',
    text('A <think>literal</think> tag'),
    { reasoning: '', content: 'A <think>literal</think> tag', restarts: 0 },
  ],
  ['in an empty tag', text('<think>\n\n</think>\n\nAnswer'), { reasoning: '', content: 'Answer' }],
  [
    'before a closing tag alone',
    [raw(text('Hm, ')), raw(text('yes')), pause(50), raw(text('</thi')), raw(text('nk>\nAnswer</think>'))],
    { reasoning: 'Hm, yes', content: 'Answer</think>', restarts: 1 },
  ],
  [
    'before a closing tag alone, in one delta',
    text('Hm</think>Answer'),
    { reasoning: 'Hm', content: 'Answer', restarts: 0 },
  ],
  [
    'before a closing tag alone, in brackets',
    text('Hm') + text('[/THINK]Answer'),
    { reasoning: 'Hm', content: 'Answer', restarts: 1 },
  ],
  [
    'before a closing tag alone, at 200 KiB',
    [...Array.from({ length: 200 }, () => raw(text('x'.repeat(1024)))), raw(text('</think>Answer'))],
    { content: 'Answer', restarts: 1 },
  ],
  [
    'not before a closing tag alone past 256 KiB',
    [...Array.from({ length: 260 }, () => raw(text('x'.repeat(1024)))), raw(text('</think>Answer'))],
    { content: `${'x'.repeat(260 * 1024)}</think>Answer`, restarts: 0 },
  ],
  [
    'not before a closing tag after reasoning',
    delta({ reasoning: 'Hm' }) + text('The tag </think>'),
    { reasoning: 'Hm', content: 'The tag </think>', restarts: 0 },
  ],
  ['not before an incomplete closing tag at the end', text('a <') + text('/think'), { content: 'a </think' }],
  [
    'in the whole text before a final closing tag',
    text('Hm') + text('</think>') + FINISH,
    { reasoning: 'Hm', content: '', error: empty(/after its thinking/) },
  ],
  [
    'in parts of type thinking',
    text([{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] }]) +
      text([{ type: 'text', text: 'Answer' }]),
    { reasoning: 'Hm', content: 'Answer' },
  ],
  [
    'in parts of type reasoning',
    text([
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
  ].map((fields): Case => [
    `in ${JSON.stringify(fields)}`,
    delta({ ...fields, content: '' }) + text('Answer'),
    { reasoning: 'Hm', content: 'Answer' },
  ]),
]);
const counts = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
const zeros = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const counted = { usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } };

check('usage', p, [
  [
    'in x_groq beside zeros',
    text('a') + event({ choices: [], usage: zeros, x_groq: { usage: counts } }) + DONE,
    counted,
  ],
  [
    'in the choice beside zeros',
    text('a') + event({ choices: [{ usage: counts }], usage: zeros }) + DONE,
    counted,
  ],
  [
    'under one name beside zeros under another name',
    text('a') + event({ choices: [], usage: { ...zeros, input_tokens: 1, output_tokens: 2 } }) + DONE,
    counted,
  ],
  [
    'of the prompt and of the completion in separate chunks',
    event({ choices: [{ delta: { content: 'a' } }], usage: { input_tokens: 1 } }) +
      event({ choices: [], usage: { output_tokens: 2 } }) +
      DONE,
    counted,
  ],
  [
    'in the choice',
    text('a') +
      choice({
        delta: {},
        finish_reason: 'stop',
        usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
      }) +
      DONE,
    { usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } },
  ],
  [
    'in x_groq',
    text('a') +
      event({
        choices: [{ delta: {}, finish_reason: 'stop' }],
        x_groq: { usage: { prompt_tokens: 1, completion_tokens: 2 } },
      }) +
      DONE,
    { usage: { totalTokens: 3 } as never },
  ],
  [
    'as input_tokens and output_tokens',
    text('a') + event({ choices: [], usage: { input_tokens: 1, output_tokens: 2 } }) + DONE,
    { usage: { totalTokens: 3 } as never },
  ],
  [
    'as strings',
    text('a') +
      event({ choices: [], usage: { prompt_tokens: '1', completion_tokens: '2', total_tokens: '3' } }) +
      DONE,
    { usage: { totalTokens: 3 } as never },
  ],
  [
    'is not overwritten by zeros',
    text('a') +
      event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } }) +
      event({ choices: [], usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }) +
      DONE,
    { usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } },
  ],
  [
    'is merged from several chunks',
    text('a') +
      event({
        choices: [{ delta: {} }],
        usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
      }) +
      event({ choices: [], usage: { prompt_tokens: 0, completion_tokens: 4, total_tokens: 9 } }) +
      DONE,
    { usage: { promptTokens: 5, completionTokens: 4, totalTokens: 9 } },
  ],
  [
    'of only zeros is ignored',
    text('a') + event({ choices: [], usage: { prompt_tokens: 0, completion_tokens: 0 } }) + DONE,
    { usage: null },
  ],
]);
const A = 'https://a.example/';
const B = 'https://b.example/x?y=1';
const MANY = Array.from({ length: 101 }, (_, index) => `${A}${index}`);

check('sources', p, [
  [
    'in citations',
    event({ citations: [A, B], choices: [{ delta: { content: 'a' } }] }) +
      event({ citations: [A, B], choices: [{ delta: { content: 'b' } }] }) +
      DONE,
    {
      sources: [
        { url: A, title: null },
        { url: B, title: null },
      ],
    },
  ],
  [
    'in search_results with titles',
    event({
      citations: [B, A],
      search_results: [{ url: A, title: 'Page A', date: null }],
      choices: [{ delta: { content: 'a' } }],
    }) + DONE,
    {
      sources: [
        { url: B, title: null },
        { url: A, title: 'Page A' },
      ],
    },
  ],
  [
    'in annotations',
    delta({
      content: 'a',
      annotations: [
        { type: 'url_citation', url_citation: { url: A, title: 'Page A', start_index: 0 } },
        { type: 'file' },
      ],
    }) +
      delta({ annotations: [{ url_citation: { url: A, title: 'Other' } }] }) +
      DONE,
    { sources: [{ url: A, title: 'Page A' }] },
  ],
  [
    'in web_search',
    event({ web_search: [{ link: A, title: 'Page A' }], choices: [{ delta: { content: 'a' } }] }) + DONE,
    { sources: [{ url: A, title: 'Page A' }] },
  ],
  [
    'but not with other schemes or types',
    event({
      citations: ['javascript:alert(1)', 'nonsense', 7, null, {}, { url: 'data:x' }],
      choices: [{ delta: { content: 'a' } }],
    }) + DONE,
    { sources: null },
  ],
  [
    'up to a hundred',
    event({ citations: MANY, choices: [{ delta: { content: 'a' } }] }) + DONE,
    { sources: MANY.slice(0, 100).map((url) => ({ url, title: null })) },
  ],
]);
