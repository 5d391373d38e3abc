import { isObject, type ProviderChunk } from '../provider/provider.chunk.js';
import { ReplySource } from '../provider/provider.js';

const MAX_SOURCES = 100;
const MAX_URL_LENGTH = 2048;
const MAX_TITLE_LENGTH = 300;

/**
 * Collects the web pages that a provider cites, each once, in order. Includes Zhipu (`web_search`), Qwen and Hunyuan
 * (`search_info`).
 */
export class SourceList {
  private readonly byUrl = new Map<string, ReplySource>();

  /** @returns whether the chunk has a new source or title */
  add(chunk: ProviderChunk, choice: Record<string, unknown> | undefined): boolean {
    const inChunk = this.addFrom(chunk);
    const inDelta = this.addFrom(choice?.delta);
    return this.addFrom(choice?.message) || inDelta || inChunk;
  }

  get list(): ReplySource[] {
    return [...this.byUrl.values()].map((source) => ({ ...source }));
  }

  private addFrom(holder: unknown): boolean {
    if (!isObject(holder)) return false;
    const { citations, search_results, annotations, web_search, search_info } = holder;
    // Fast path: nearly every chunk has none.
    if (!(citations || search_results || annotations || web_search || search_info)) return false;
    const inner = isObject(search_info) ? search_info.search_results : undefined;
    const entries = [citations, search_results, annotations, web_search, inner].filter(Array.isArray).flat();
    return entries.filter((each) => this.addOne(each)).length > 0;
  }

  private addOne(entry: unknown): boolean {
    const { url, title } = readSource(entry);
    if (!url) return false;
    const known = this.byUrl.get(url);
    if (known) return addTitle(known, title);
    if (this.byUrl.size >= MAX_SOURCES) return false;
    this.byUrl.set(url, { url, title });
    return true;
  }
}

/** @returns whether the source had no title and has one now */
function addTitle(source: ReplySource, title: string | null): boolean {
  if (source.title !== null || title === null) return false;
  source.title = title;
  return true;
}

function readSource(entry: unknown): { url?: string; title: string | null } {
  if (typeof entry === 'string') return { url: readUrl(entry), title: null };
  if (!isObject(entry)) return { title: null };
  const { url_citation } = entry;
  const { url, link, title, name } = isObject(url_citation) ? url_citation : entry;
  return { url: readUrl(url ?? link), title: readTitle(title ?? name) };
}

/** Accepts only http and https URLs, which are safe to show as links. */
function readUrl(url: unknown): string | undefined {
  if (typeof url !== 'string' || url.length > MAX_URL_LENGTH) return undefined;
  const trimmed = url.trim();
  return /^https?:\/\//i.test(trimmed) && URL.canParse(trimmed) ? clean(trimmed) : undefined;
}

function readTitle(title: unknown): string | null {
  if (typeof title !== 'string') return null;
  return clean(title.slice(0, MAX_TITLE_LENGTH)).trim() || null;
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
