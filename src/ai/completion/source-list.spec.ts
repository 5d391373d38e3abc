import { describe, expect, it } from '@jest/globals';
import type { ProviderChunk } from '../provider/provider.chunk.js';
import { SourceList } from './source-list.js';

const A = 'https://a.example/';
const [pageA, untitled] = [
  { url: A, title: 'Page A' },
  { url: A, title: null },
];

function read(...chunks: ProviderChunk[]) {
  const list = new SourceList();
  const reports = chunks.map((chunk) => list.add(chunk, undefined));
  return { list, reports, found: list.list };
}

describe('SourceList', () => {
  it.each([
    [{ citations: [A] }, untitled],
    [{ citations: [pageA] }, pageA],
    [{ search_results: [pageA] }, pageA],
    [{ annotations: [{ type: 'url_citation', url_citation: pageA }] }, pageA],
    [{ web_search: [{ link: A, title: 'Page A' }] }, pageA],
    [{ search_info: { search_results: [{ url: A, name: 'Page A' }] } }, pageA],
  ])('reads %j in a chunk, a delta or a message', (holder, source) => {
    for (const choice of [{ delta: holder }, { message: holder }]) {
      const list = new SourceList();
      expect(list.add({}, choice)).toBe(true);
      expect(list.list).toEqual([source]);
    }
    expect(read(holder).found).toEqual([source]);
  });

  it('reports new sources and titles only', () => {
    const { reports, found } = read(
      { citations: [A] },
      { citations: [A] },
      { citations: [pageA] },
      { citations: [pageA] },
      { citations: [{ url: A, title: 'Other' }] },
      {},
    );

    expect(reports).toEqual([true, false, true, false, false, false]);
    expect(found).toEqual([pageA]);
  });

  it('reads the chunk, the delta and the message of one event', () => {
    const list = new SourceList();
    const urls = [1, 2, 3].map((n) => `https://${n}.example/`);
    list.add(
      { citations: [urls[0]] },
      { delta: { citations: [urls[1]] }, message: { citations: [urls[2]] } },
    );

    expect(list.list.map(({ url }) => url)).toEqual(urls);
  });

  it('adds a title to a source when the list is full', () => {
    const urls = Array.from({ length: 101 }, (_, n) => `${A}${n}`);
    const { list, found } = read({ citations: urls });

    expect(found).toHaveLength(100);
    expect(list.add({ citations: [{ url: urls[0], title: 'First' }, urls[100]] }, undefined)).toBe(true);
    expect(list.list).toHaveLength(100);
    expect(list.list[0]!.title).toBe('First');
  });

  it('keeps its sources from changes of a list that it returned', () => {
    const { list, found } = read({ citations: [A] });
    list.add({ citations: [pageA] }, undefined);

    expect(found).toEqual([untitled]);
  });

  it('accepts URLs of up to 2,048 characters, and cuts titles after 300', () => {
    const url = `${A}${'x'.repeat(2048 - A.length)}`;

    expect(read({ citations: [url, `${url}x`] }).found).toEqual([{ url, title: null }]);
    expect(read({ citations: [{ url: A, title: 'x'.repeat(301) }] }).found[0]!.title).toBe('x'.repeat(300));
  });

  it('trims URLs and titles, and replaces what no database can store', () => {
    expect(read({ citations: [{ url: ` ${A} `, title: ' a\0\ud83d ' }] }).found).toEqual([
      { url: A, title: 'a\ufffd\ufffd' },
    ]);
    expect(read({ citations: [{ url: A, title: ' ' }] }).found).toEqual([untitled]);
  });

  it('ignores what is no page on the web', () => {
    const citations = ['ftp://a.example/', 'http://', 'https://[', 7, null, { title: 'x' }, { url: 7 }];

    expect(read({ citations, search_results: A, web_search: {} }).found).toEqual([]);
  });
});
