/**
 * Renders Markdown to DOM nodes. Text becomes text nodes only, so it cannot inject markup or scripts. Unknown syntax stays
 * as written. Spans have a maximum length, to keep parsing linear.
 */

import { h } from './dom.js';

const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*([\w+-]*)/;
const HEADING = /^\s{0,3}(#{1,6})\s+(.*)$/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^\s{0,3}>\s?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+/;

const MAX_DEPTH = 8;

const INLINE = new RegExp(
  [
    /\\(?<escaped>[!-/:-@[-`{-~])/,
    /(?<ticks>`+)(?<code>[^`][^]{0,2000}?)\k<ticks>(?!`)/,
    /\*\*(?<bold>[^\s*](?:[^]{0,1000}?\S)?)\*\*/,
    /\*(?<italic>[^\s*](?:[^*]{0,1000}?[^\s*])?)\*/,
    /(?<![\p{L}\p{N}_])_(?<stress>[^\s_](?:[^_]{0,1000}?[^\s_])?)_(?![\p{L}\p{N}_])/u,
    /\[(?<label>[^[\]]{1,500})\]\((?<href>https?:\/\/[^\s()]{1,2000})\)/,
    /(?<url>https?:\/\/[^\s<>()[\]"'`*]{1,2000}[^\s<>()[\]"'`*.,;:!?])/,
  ]
    .map((pattern) => pattern.source)
    .join('|'),
  'gu',
);

export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks(text.split('\n')));
  return fragment;
}

function blocks(lines, depth = 0) {
  const nodes = [];
  for (let at = 0; at < lines.length;) {
    const [node, next] = block(lines, at, depth);
    if (node) nodes.push(node);
    at = next;
  }
  return nodes;
}

/** Parses the block at a line. @returns the block and the line of the next one */
function block(lines, at, depth) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  const fence = FENCE.exec(line);
  if (fence) return codeBlock(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [h(`h${Math.min(heading[1].length + 2, 6)}`, {}, ...inline(heading[2].trim())), at + 1];
  if (RULE.test(line)) return [h('hr'), at + 1];
  if (QUOTE.test(line) && depth < MAX_DEPTH) return quote(lines, at, depth);
  if (ITEM.test(line) && depth < MAX_DEPTH) return list(lines, at, depth);
  const end = endOf(lines, at + 1, (next) => next.trim() && !startsBlock(next));
  return [h('p', {}, ...inline(lines.slice(at, end).join('\n'))), end];
}

const startsBlock = (line) => [FENCE, HEADING, RULE, QUOTE, ITEM].some((pattern) => pattern.test(line));

/** An unclosed fence extends to the end, because it is still streaming. */
function codeBlock(lines, at, [, mark, language]) {
  const end = endOf(lines, at + 1, (line) => !line.trimStart().startsWith(mark));
  const code = h('code', {}, lines.slice(at + 1, end).join('\n'));
  return [h('pre', { tabIndex: 0, ...(language && { title: language }) }, code), end + 1];
}

function quote(lines, at, depth) {
  const end = endOf(lines, at, (line) => QUOTE.test(line));
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ''));
  return [h('blockquote', {}, ...blocks(inner, depth + 1)), end];
}

/** Items of one kind. Lines indented deeper belong to the item above. */
function list(lines, at, depth) {
  const [, { length: indent }, mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const node = ordered ? h('ol', { start: parseInt(mark) }) : h('ul');
  const isDeeper = (line) => !line.trim() || line.search(/\S/) > indent;
  let next = at;
  for (let item; (item = ITEM.exec(lines[next] ?? '')) && /\d/.test(item[2]) === ordered;) {
    if (item[1].length < indent) break;
    const end = endOf(lines, next + 1, isDeeper);
    const first = lines[next].slice(item[0].length);
    const more = lines.slice(next + 1, end).map((line) => dedent(line, item[0].length));
    node.append(h('li', {}, ...inline(first), ...blocks(more, depth + 1)));
    next = end;
  }
  return [node, next];
}

function dedent(line, width) {
  return line.slice(Math.min(width, Math.max(0, line.search(/\S/))));
}

/** Returns the first line at or after `from` that does not match. */
function endOf(lines, from, holds) {
  let end = from;
  while (end < lines.length && holds(lines[end])) end += 1;
  return end;
}

function inline(text, depth = 0) {
  if (depth > MAX_DEPTH) return [text];
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(end, match.index), span(match.groups, depth + 1));
    end = match.index + match[0].length;
  }
  return [...nodes, text.slice(end)];
}

function span({ escaped, code, bold, italic, stress, label, href, url }, depth) {
  if (escaped) return escaped;
  if (code) return h('code', {}, code.replace(/^ (.*) $/s, '$1'));
  if (bold) return h('strong', {}, ...inline(bold, depth));
  if (label || url) {
    const link = { href: href ?? url, target: '_blank', rel: 'noopener noreferrer nofollow' };
    return h('a', link, ...(label ? inline(label, depth) : [url]));
  }
  return h('em', {}, ...inline(italic ?? stress, depth));
}
