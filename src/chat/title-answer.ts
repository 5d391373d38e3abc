import { isVisible } from '../common/visible-text.js';
import { oneLine } from './titles.js';

const MAX_TITLE_LENGTH = 100;
/** A leading thought in its spellings; without its end, the answer was cut off. */
const THOUGHT =
  /^\s*(?:<(think|thinking|thought|reasoning|reflection)>|\[(THINK)\])[\s\S]*?(?:<\/\1>|\[\/\2\]|$)/i;
const THOUGHT_END = /^[\s\S]*<\/(?:think|thinking|thought)>|^[\s\S]*\[\/THINK\]/i;
const FENCED = /```[\w-]*[ \t]*\n?([\s\S]*?)```/;
const TAGGED = /^<(title|answer|output|response|final)>([\s\S]*?)<\/\1>/i;
const LABELS =
  'title|topic|subject|heading|标题|標題|主题|主題|题目|題目|titel|titre|título|titolo|タイトル|제목|заголовок|название|тема';
const COLON = '[:：﹕︰꞉∶]';
const EPITHETS =
  'suggested|proposed|possible|good|conversation|chat|short|new|the|a|final|对话|對話|会话|會話|聊天|建议|建議|新';
/** "**Title:** …", "Conversation title is: …", "【标题】…" */
const LABEL = new RegExp(
  `^[【[(*_"'\`]*(?:(?:${EPITHETS})(?:的)? ?){0,3}(?:${LABELS})` +
    `(?:[】\\])]\\s*${COLON}?|["'*_\`]*\\s*(?:is|would be|could be|是|为|為)?\\s*${COLON}|\\s[-–—]\\s)["'*_\`]{0,3}\\s*`,
  'iu',
);
/** "Sure!", "Here is a title for this conversation: …" */
const PREAMBLES = [
  /^(?:sure(?: thing)?|certainly|of course|okay|ok|absolutely|好的|当然|當然|没问题|沒問題)[,，.。!！:：]+\s*/iu,
  new RegExp(
    `^(?:here|this is|my|a|an|one|based on|以下|这是|這是|根据|根據|建议|建議|为|為)[^:：]{0,60}(?:${LABELS})[^:：]{0,60}${COLON}\\s*`,
    'iu',
  ),
];
const REFUSAL = new RegExp(
  [
    "^(?:i['’]?m|i am) (?:(?:really|so|very) )?(?:sorry|unable|not able)",
    '^(?:sorry,|my apologies|i apologi[sz]e|as an ai\\b|unfortunately,)',
    "^i (?:can['’]?t|cannot|can not|won['’]t|will not|am not able to) (?:help|assist|provide|create|generate|fulfil|write|comply|discuss|continue|answer|process|give|do|summari)",
    '^(?:很?抱歉|对不起|對不起|我无法|我無法|我不能|作为(?:一个|一名)?(?:AI|人工智能))',
    '^(?:lo siento|je suis désolée?|désolée?,|es tut mir leid|申し訳|죄송|извините)',
  ].join('|'),
  'iu',
);
const QUOTES: [open: string, close: string][] = [
  ['"', '"'],
  ["'", "'"],
  ['`', '`'],
  ['“', '”'],
  ['„', '“'],
  ['‘', '’'],
  ['«', '»'],
  ['「', '」'],
  ['『', '』'],
  ['《', '》'],
  ['【', '】'],
  ['**', '**'],
  ['__', '__'],
  ['*', '*'],
  ['_', '_'],
];
const TITLE_MEMBERS = ['title', 'Title', '标题', '標題', 'name', 'topic', 'answer', 'text'];

/**
 * A model's answer as a title: one line, without what it was wrapped in.
 * @returns null where nothing is left, and for a refusal or a text that is longer than a title
 */
export function titleFromModel(answer: string): string | null {
  const text = unwrap(withoutThoughts(answer).trim()) ?? '';
  const lines = text.split('\n').filter((line) => !isLabel(line.trim()));
  const [title = '', ...others] = lines.map(bare).filter((line) => line !== '');
  const isRefusal = REFUSAL.test(text) || REFUSAL.test(title);
  if (isRefusal || characters([title, ...others].join('\n')) > MAX_TITLE_LENGTH) return null;
  return isVisible(title.replace(/\p{P}/gu, '')) ? title : null;
}

function withoutThoughts(answer: string): string {
  return answer.replace(THOUGHT, '').replace(THOUGHT_END, '');
}

/** What is within code fences, tags and JSON; undefined where JSON has no title. */
function unwrap(text: string): string | undefined {
  const inner = FENCED.exec(text)?.[1] ?? TAGGED.exec(text)?.[2] ?? text;
  const trimmed = inner.trim();
  if (!/^[{["]/.test(trimmed)) return trimmed;
  try {
    return titleIn(JSON.parse(trimmed));
  } catch {
    return trimmed.startsWith('{') ? undefined : trimmed; // quotes and brackets are part of titles, braces are not
  }
}

function titleIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim();
  if (typeof value !== 'object' || value === null) return undefined;
  const members = value as Record<string, unknown>;
  const named = TITLE_MEMBERS.map((name) => members[name]);
  const found = [...named, ...Object.values(members)].find((each) => typeof each === 'string');
  return (found as string | undefined)?.trim();
}

/** A line that only announces the title. */
function isLabel(line: string): boolean {
  return new RegExp(`${COLON}["'*_]*$`, 'u').test(line);
}

/** Takes off marks, labels and quotes, until nothing more comes off. */
function bare(line: string): string {
  let text = oneLine(line);
  for (let before = ''; before !== text;) {
    before = text;
    text = text.replace(/^(?:#+\s+|[-•]\s+|\d+[.)]\s+)/, '');
    for (const lead of [...PREAMBLES, LABEL]) text = text.replace(lead, '');
    text = unquote(text.replace(/(?<!\.)[.。]$/u, '').trim()).trim();
  }
  return text;
}

function unquote(text: string): string {
  for (const [open, close] of QUOTES) {
    const isWrapped =
      text.length >= open.length + close.length && text.startsWith(open) && text.endsWith(close);
    const inner = text.slice(open.length, -close.length);
    if (isWrapped && !inner.includes(open)) return inner;
  }
  return text;
}

function characters(text: string): number {
  return Array.from(text).length;
}
