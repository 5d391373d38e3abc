import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventStream, MAX_LINE_BYTES, ServerSentEvent } from './event-stream.js';
import { cpuMs } from '../../../test/support/cpu-time.js';

const ignore = () => {};

/** Counts the lines over the limit. */
function open(onEvent: (event: ServerSentEvent) => void = ignore) {
  const noted = { overflows: 0 };
  return Object.assign(new EventStream(onEvent, () => noted.overflows++), { noted });
}

function read(bytes: string | Uint8Array, cuts: number[] = []): ServerSentEvent[] {
  const events: ServerSentEvent[] = [];
  const stream = open((event) => events.push(event));
  const buffer = Buffer.from(bytes);
  const points = [0, ...cuts.map((cut) => cut % (buffer.length + 1)).sort((a, b) => a - b), buffer.length];
  for (let i = 1; i < points.length; i++) stream.push(buffer.subarray(points[i - 1], points[i]));
  stream.end();
  return events;
}

const allCuts = (bytes: string) => Array.from({ length: Buffer.byteLength(bytes) }, (_, i) => i);
const texts = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replace(/[\r\n\0]/g, ''));

describe('EventStream', () => {
  it('parses the same events for any split of the bytes and any line ending', () => {
    const endings = fc.constantFrom('\n', '\r\n', '\r');
    fc.assert(
      fc.property(
        fc.array(fc.array(texts, { minLength: 1, maxLength: 3 }), { maxLength: 8 }),
        endings,
        fc.array(fc.nat()),
        fc.boolean(),
        (all, eol, cuts, bom) => {
          const linesOf = (event: string[]) => event.map((text) => `data: ${text}${eol}`).join('');
          const bytes = all.map((event) => linesOf(event) + eol).join('');
          const events = all.map((event) => ({ type: '', data: event.join('\n') }));
          expect(read((bom ? '\ufeff' : '') + bytes, cuts)).toEqual(events);
        },
      ),
    );
  });

  it('joins the data of several lines, and reads the type of an event', () => {
    const bytes = 'event: error\ndata: a\ndata:b\ndata:  c\ndata\n\ndata: next\n\n';

    expect(read(bytes, allCuts(bytes))).toEqual([
      { type: 'error', data: 'a\nb\n c\n' },
      { type: '', data: 'next' },
    ]);
  });

  it('ignores comments, unknown fields, and events without data', () => {
    expect(read(': hello\n\nid: 1\nretry: 5\nnonsense\n\nevent: ping\n\ndata: a\n\n')).toEqual([
      { type: '', data: 'a' },
    ]);
  });

  it.each<[string, string, ServerSentEvent[]]>([
    [
      'events separated by one newline',
      'data: {"a":1}\ndata: {"a":2}\ndata: [DONE]\n',
      [
        { type: '', data: '{"a":1}' },
        { type: '', data: '{"a":2}' },
        { type: '', data: '[DONE]' },
      ],
    ],
    [
      'the types of events separated by one newline',
      'event: x\ndata: {"a":1}\nevent: y\ndata: {"a":2}\n\n',
      [
        { type: 'x', data: '{"a":1}' },
        { type: 'y', data: '{"a":2}' },
      ],
    ],
    ['an event type after its data', 'data: {"a":1}\nevent: x\n\n', [{ type: 'x', data: '{"a":1}' }]],
    [
      'an object over several lines',
      'data: {\ndata: "a":1\ndata: }\n\n',
      [{ type: '', data: '{\n"a":1\n}' }],
    ],
    ['the field `error`', 'error: {"code":500}\n\n', [{ type: 'error', data: '{"code":500}' }]],
    ['JSON without a field', ': hi\n\n{"error":"no"}\n', [{ type: '', data: '{"error":"no"}' }]],
  ])('reads %s', (_, bytes, events) => {
    expect(read(bytes, allCuts(bytes))).toEqual(events);
  });

  it('keeps the first line that is not a field', () => {
    const stream = open();
    stream.push(Buffer.from('upstream connect error: no\nsecond line\n\ndata: a\n\n'));

    expect(stream.strayLine).toBe('upstream connect error: no');
  });

  it('does not wait for a line feed after a carriage return', () => {
    const events: ServerSentEvent[] = [];
    const stream = open((event) => events.push(event));
    stream.push(Buffer.from('data: a\r\r'));

    expect(events).toEqual([{ type: '', data: 'a' }]);
    stream.push(Buffer.from('\ndata: b\r\n\r'));
    stream.push(Buffer.from('\n'));
    expect(events.map(({ data }) => data)).toEqual(['a', 'b']);
  });

  it('replaces invalid UTF-8 and NUL by U+FFFD', () => {
    expect(read(Buffer.from([...Buffer.from('data: a'), 0xff, 0xe2, 0x82, 0x0a, 0x0a]))).toEqual([
      { type: '', data: 'a\ufffd\ufffd' },
    ]);
    expect(read('data: a\0b\n\n')).toEqual([{ type: '', data: 'a\ufffdb' }]);
  });

  it.each([
    ['in one piece', [MAX_LINE_BYTES + 1]],
    ['in many pieces', Array<number>(20).fill(64 * 1024)],
    ['more than twice', Array<number>(40).fill(64 * 1024)],
  ])('skips and reports a line that is too long, %s', (_, sizes) => {
    const events: ServerSentEvent[] = [];
    const stream = open((event) => events.push(event));
    stream.push(Buffer.from('data: a\n\ndata: '));
    for (const size of sizes) stream.push(Buffer.alloc(size, 'x'));
    stream.push(Buffer.from('\n\ndata: b\n\n'));

    expect(stream.noted.overflows).toBe(1);
    expect(events.map(({ data }) => data)).toEqual(['a', 'b']);
    expect(stream.strayLine).toBe('');
  });

  it('skips and reports an event whose lines are too long together', () => {
    const half = 'x'.repeat(MAX_LINE_BYTES / 2);
    const events: ServerSentEvent[] = [];
    const stream = open((event) => events.push(event));

    stream.push(Buffer.from(`data: ${half}\ndata: ${half.slice(1)}\n\n`));
    expect(events.map(({ data }) => data.length)).toEqual([MAX_LINE_BYTES]);
    stream.push(Buffer.from(`data: ${half}\ndata: ${half}\n\ndata: b\n\n`));

    expect(stream.noted.overflows).toBe(1);
    expect(events.slice(1).map(({ data }) => data)).toEqual(['b']);
  });

  it('removes a byte order mark from the first line only', () => {
    const mark = '\ufeff';

    expect(read(`${mark}${mark}data: a\n\n`)).toEqual([]);
    expect(read(`data: a\n\n${mark}data: b\n\ndata: ${mark}c\n\n`).map(({ data }) => data)).toEqual([
      'a',
      `${mark}c`,
    ]);
  });

  it('counts bytes, not characters', () => {
    const stream = open();
    stream.push(Buffer.from(`data: ${'世'.repeat(MAX_LINE_BYTES / 3)}\n`));

    expect(stream.noted.overflows).toBe(1);
  });

  it('accepts a line of the full length', () => {
    expect(read(`data: ${'x'.repeat(MAX_LINE_BYTES - 6)}\n\n`, [5, 100_000])).toHaveLength(1);
  });

  it('takes linear time for a long line received byte by byte, and for an event of many lines', () => {
    const [stream, lines] = [open(), open()];
    const byte = Buffer.from('x');
    const spent = cpuMs(() => {
      stream.push(Buffer.from('data: '));
      for (let i = 0; i < 500_000; i++) stream.push(byte);
      for (let i = 0; i < 100; i++) lines.push(Buffer.from('data\n'.repeat(12_000)));
    });

    expect(lines.noted.overflows).toBeGreaterThan(0);
    expect(spent).toBeLessThan(10_000);
  });
});
